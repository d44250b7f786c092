import type { AppSettings } from '../server/contract.ts';

export interface SettingField {
  name: keyof AppSettings;
  label: string;
  kind: 'number' | 'text' | 'list' | 'switch' | 'choice';
  unit?: string;
  help?: string;
  /** What an empty field means. */
  empty?: string;
  choices?: readonly (readonly [value: string, label: string])[];
}

/** Of the settings that a person has a reason to change. The rules are main's. */
export const FIELDS: readonly SettingField[] = [
  {
    name: 'maxConcurrency',
    label: 'Requests at once',
    kind: 'number',
    help: '1 is safe: on Apple GPUs concurrent answers have come out wrong (mlx-vlm #1668).',
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
    help: 'Also conversations that have no image in them.',
  },
  { name: 'startServerAtLaunch', label: 'Start the server with the app', kind: 'switch' },
  { name: 'startAtLogin', label: 'Open Sightglass at login', kind: 'switch' },
];

export const ADVANCED: readonly SettingField[] = [
  {
    name: 'queuePolicy',
    label: 'Who is next',
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
    help: 'Of all that are received, wait or load images. Beyond it they are refused.',
  },
  {
    name: 'responseStoreMegabytes',
    label: 'Memory for kept responses',
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
    help: 'Of memory. Between requests; what waits is answered after.',
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
    help: 'And a second more for every 25 MB of its weights.',
  },
  {
    name: 'drainTimeoutSeconds',
    label: 'Let answers finish before a model is changed for',
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
    help: 'While no key is set: names such as mac.example.com or *.example.com, with commas, or *.',
  },
  {
    name: 'corsOrigins',
    label: 'Web pages that may call',
    kind: 'list',
    empty: 'none',
    help: 'Origins such as https://app.example, with commas between them, or *.',
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
    label: 'Log from level',
    kind: 'choice',
    choices: ['trace', 'debug', 'info', 'warn', 'error', 'silent'].map(
      (level) => [level, level] as const,
    ),
  },
];

/** What a field shows of a setting. */
export function toText(value: unknown): string {
  if (value === undefined || value === null) return '';
  return Array.isArray(value) ? value.join(', ') : String(value);
}

/** What main is told of a field; null is the default. */
export function toValue({ kind }: SettingField, text: string): unknown {
  const trimmed = text.trim();
  if (trimmed === '') return kind === 'list' ? [] : null;
  const number = Number(trimmed);
  return kind === 'number' && !Number.isNaN(number) ? number : trimmed;
}
