import type { AppSettings } from '../server/contract.ts';

export interface SettingField {
  name: keyof AppSettings;
  label: string;
  kind: 'number' | 'text' | 'list' | 'switch' | 'choice';
  unit?: string;
  help?: string;
  /** The placeholder of an empty field. */
  empty?: string;
  choices?: readonly (readonly [value: string, label: string])[];
}

/** The settings that users commonly change. The main process validates them. */
export const FIELDS: readonly SettingField[] = [
  {
    name: 'maxConcurrency',
    label: 'Requests at once',
    kind: 'number',
    help: '1 is safe. Concurrent generation on Apple GPUs has produced wrong answers (mlx-vlm #1668).',
  },
  { name: 'queueSize', label: 'Requests that may wait', kind: 'number' },
  { name: 'queueTimeoutSeconds', label: 'Deadline', kind: 'number', unit: 'seconds' },
  { name: 'port', label: 'Port', kind: 'number' },
  {
    name: 'idleUnloadMinutes',
    label: 'Unload the model after',
    kind: 'number',
    unit: 'idle minutes',
    empty: 'never',
    help: 'Frees its memory. The next request loads it again.',
  },
  {
    name: 'allowTextOnly',
    label: 'Answer without a picture',
    kind: 'switch',
    help: 'Accept conversations without an image.',
  },
  { name: 'startServerAtLaunch', label: 'Start the server with the app', kind: 'switch' },
  { name: 'startAtLogin', label: 'Open Sightglass at login', kind: 'switch' },
];

export const ADVANCED: readonly SettingField[] = [
  {
    name: 'queuePolicy',
    label: 'Queue order',
    kind: 'choice',
    choices: [
      ['fifo', 'First come, first served'],
      ['fair', 'Clients take turns'],
    ],
  },
  {
    name: 'maxStreams',
    label: 'Streams at once',
    kind: 'number',
    empty: 'no limit',
    help: 'Streaming requests do not queue.',
  },
  { name: 'maxImageMegabytes', label: 'Largest image', kind: 'number', unit: 'MB' },
  {
    name: 'maxImagePixels',
    label: 'Scale pictures down to',
    kind: 'number',
    unit: 'pixels',
  },
  { name: 'maxBodyMegabytes', label: 'Largest request', kind: 'number', unit: 'MB' },
  {
    name: 'requestMemoryMegabytes',
    label: 'Memory for requests',
    kind: 'number',
    unit: 'MB',
    help: 'For requests that are arriving, waiting or loading images. Requests beyond it are rejected.',
  },
  {
    name: 'responseStoreMegabytes',
    label: 'Memory for stored responses',
    kind: 'number',
    unit: 'MB',
    help: 'For OpenAI’s previous_response_id.',
  },
  {
    name: 'memoryCeilingGigabytes',
    label: 'Restart a model that takes more than',
    kind: 'number',
    unit: 'GB',
    empty: 'no limit',
    help: 'Memory. It restarts between requests, and waiting requests are answered afterwards.',
  },
  {
    name: 'hangTimeoutSeconds',
    label: 'Restart a model that hangs for',
    kind: 'number',
    unit: 'seconds',
  },
  {
    name: 'loadingTimeoutSeconds',
    label: 'Give up loading a model after',
    kind: 'number',
    unit: 'seconds',
    help: 'Plus one second for every 25 MB of its weights.',
  },
  {
    name: 'drainTimeoutSeconds',
    label: 'When the model changes, let answers finish for',
    kind: 'number',
    unit: 'seconds',
  },
  { name: 'keepAliveSeconds', label: 'Keep streams alive every', kind: 'number', unit: 'seconds' },
  {
    name: 'contact',
    label: 'Contact for image hosts',
    kind: 'text',
    empty: 'none',
    help: 'An e-mail address or web page, sent with each image download. Wikimedia asks for one.',
  },
  {
    name: 'allowedHosts',
    label: 'Allowed host names',
    kind: 'list',
    empty: 'addresses and local names',
    help: 'Used when no API key is set. Separate names such as mac.example.com or *.example.com with commas; * allows any.',
  },
  {
    name: 'corsOrigins',
    label: 'Allowed web origins (CORS)',
    kind: 'list',
    empty: 'none',
    help: 'Separate origins such as https://app.example with commas; * allows any.',
  },
  {
    name: 'allowPrivateImageUrls',
    label: 'Fetch images from private addresses',
    kind: 'switch',
  },
  {
    name: 'hubEndpoint',
    label: 'Hugging Face mirror',
    kind: 'text',
    empty: 'https://huggingface.co',
    help: 'Where models are downloaded from.',
  },
  {
    name: 'logLevel',
    label: 'Log level',
    kind: 'choice',
    choices: ['trace', 'debug', 'info', 'warn', 'error', 'silent'].map(
      (level) => [level, level] as const,
    ),
  },
];

/** Converts a setting to a field's text. */
export function toText(value: unknown): string {
  if (value === undefined || value === null) return '';
  return Array.isArray(value) ? value.join(', ') : String(value);
}

/** Converts a field's text to a setting; null resets it to its default. */
export function toValue({ kind }: SettingField, text: string): unknown {
  const trimmed = text.trim();
  if (trimmed === '') return kind === 'list' ? [] : null;
  const number = Number(trimmed);
  return kind === 'number' && !Number.isNaN(number) ? number : trimmed;
}
