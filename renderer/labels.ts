import type { CheckResult, Download, Fit, FoundModel, Snapshot } from '../server/contract.ts';
import { plural, toAge, toSize } from './format.ts';

export const FIT_LABELS: Readonly<Record<Fit['verdict'], string>> = {
  fits: 'Fits',
  tight: 'Tight',
  too_large: 'Does not fit',
};

/** Explains the numbers behind a verdict. */
export function toFitNumbers(fit: Fit): string {
  const { weightsBytes, cacheBytes, requests, tokensPerRequest, memoryBytes } = fit;
  const tokens = tokensPerRequest.toLocaleString('en');
  const cache = `${toShortSize(cacheBytes)} for ${plural(requests, 'request')} of ${tokens} tokens`;
  const needed = `${toShortSize(weightsBytes)} weights${cacheBytes === 0 ? '' : ` + ${cache}`}`;
  return `${needed}; this Mac has ${toShortSize(memoryBytes)} for models.`;
}

/** The warning shown before a model is used that does not fit in memory. */
export function toFitWarning({ weightsBytes, cacheBytes, memoryBytes }: Fit): string {
  const needed = toShortSize(weightsBytes + cacheBytes);
  return `It needs ${needed}, and this Mac has ${toShortSize(memoryBytes)} for models. Loading it may fail, or slow down your Mac.`;
}

/** `18 GB`, where `toSize` returns `18.0 GB` so that a changing number keeps its width. */
function toShortSize(bytes: number): string {
  return toSize(bytes).replace('.0 ', ' ');
}

/** Describes a model in one line. */
export function toFacts({ bytes, type, quantization, place, seesPictures }: FoundModel): string {
  const textOnly = seesPictures === false ? 'text only' : undefined;
  return [toSize(bytes), type, quantization, place, textOnly]
    .filter((fact) => fact !== undefined)
    .join(' · ');
}

/** The state of the chosen model. */
export function toModelStateLabel({
  server,
  runtime,
}: Pick<Snapshot, 'server' | 'runtime'>): string {
  if (server.phase === 'off' || server.phase === 'failed') return 'Chosen';
  switch (runtime.phase) {
    case 'ready':
      return 'Serving';
    case 'unloaded':
      return 'Serving, unloaded while idle';
    case 'failed':
      return 'Failed';
    case 'crashed':
      return 'Restarting…';
    case 'stopping':
      return 'Unloading…';
    default:
      return 'Loading…';
  }
}

/** Explains why the model cannot be checked now; undefined if it can. */
export function whyNoCheck({ server, runtime }: Pick<Snapshot, 'server' | 'runtime'>) {
  if (server.phase === 'draining') return 'The server is stopping.';
  if (server.phase !== 'on') return 'Start the server to check it.';
  switch (runtime.phase) {
    case 'ready':
      return undefined;
    case 'unloaded':
      return 'The model is unloaded. Send a request to load it, then check it.';
    case 'failed':
      return 'The model could not be loaded, so it cannot be checked.';
    default:
      return 'The model can be checked once it is loaded.';
  }
}

/** Summarizes whether concurrency changed the answers. Questions are repeated at each concurrency. */
export function toAgreement({ questions, differing, speeds }: CheckResult): string {
  if (differing.length > 0) {
    const together = questions * Math.max(1, speeds.length - 1);
    return `${differing.length} of ${plural(together, 'answer')} changed when requests ran concurrently.`;
  }
  return questions === 1
    ? 'The answer was the same alone and concurrently.'
    : `All ${questions} answers were the same alone and concurrently.`;
}

/** The progress of a download in one line. */
export function toDownloadLabel(download: Download): string {
  const { phase, bytesPerSecond, secondsLeft } = download;
  const size = toSizeProgress(download);
  switch (phase) {
    case 'starting':
      return 'Starting…';
    case 'verifying':
      return 'Checking the files…';
    case 'waiting':
      return join('Waiting for the network…', size);
    case 'paused':
      return join('Paused', size);
    case 'failed':
      return join('Failed', size);
    case 'downloading': {
      const speed = bytesPerSecond === undefined ? undefined : `${toSize(bytesPerSecond)}/s`;
      const left = secondsLeft === undefined ? undefined : `${toTimeLeft(secondsLeft)} left`;
      return join(size ?? 'Downloading…', speed, left);
    }
    default:
      return phase satisfies never;
  }
}

function join(...parts: (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined).join(' · ');
}

/** The unit and the digits that `toSize` uses from a size on. */
const SIZE_UNITS: readonly (readonly [from: number, unit: number, digits: number])[] = [
  [1e9, 1e9, 1],
  [1e7, 1e6, 0],
  [1e6, 1e6, 1],
  [1e3, 1e3, 0],
];

/** `1.2 of 3.1 GB`, both in the unit of the total. */
function toSizeProgress({ doneBytes, totalBytes }: Download): string | undefined {
  if (totalBytes === undefined) return doneBytes === 0 ? undefined : toSize(doneBytes);
  const [, unit, digits] = SIZE_UNITS.find(([from]) => totalBytes >= from) ?? [0, 1, 0];
  return `${(doneBytes / unit).toFixed(digits)} of ${toSize(totalBytes)}`;
}

/** Rounds to seconds, or to minutes from ten minutes on. */
function toTimeLeft(seconds: number): string {
  const whole = Math.max(1, Math.round(seconds));
  return whole < 10 ? `${whole} s` : toAge(whole * 1000);
}

export type Tone = 'off' | 'working' | 'ready' | 'busy' | 'failed';

/** The overall state for the header, and its tone. */
export function toStateLabel({ server, runtime, load }: Snapshot): { label: string; tone: Tone } {
  if (server.phase === 'failed' || runtime.phase === 'failed') {
    return { label: 'Failed', tone: 'failed' };
  }
  if (server.phase === 'off') return { label: 'Stopped', tone: 'off' };
  if (server.phase === 'starting') return { label: 'Starting', tone: 'working' };
  if (server.phase === 'draining') return { label: 'Finishing requests', tone: 'working' };
  switch (runtime.phase) {
    case 'ready':
      return load.running + load.waiting > 0
        ? { label: 'Busy', tone: 'busy' }
        : { label: 'Ready', tone: 'ready' };
    case 'unloaded':
      return { label: 'Ready, model unloaded', tone: 'ready' };
    case 'crashed':
      return { label: 'Restarting the model', tone: 'failed' };
    case 'stopping':
      return { label: 'Unloading the model', tone: 'working' };
    default:
      return { label: 'Loading the model', tone: 'working' };
  }
}

const OUTCOMES: Readonly<Record<string, string>> = {
  ok: 'answered',
  client_gone: 'client left',
  cancelled: 'cancelled',
  request_cancelled: 'cancelled',
  queue_timeout: 'timed out',
  queue_full: 'queue full',
  too_many_streams: 'too many streams',
  runtime_crashed: 'model crashed',
  model_not_ready: 'no model',
  generation_failed: 'model failed',
  context_length_exceeded: 'too long',
};

/** How a request ended. Rare error codes are shown with spaces instead of underscores. */
export function toOutcome(outcome: string | undefined): string {
  return OUTCOMES[outcome ?? ''] ?? (outcome ?? '').replaceAll('_', ' ');
}

/** The server's address, or the one it will have once it runs; undefined if the port is not known yet. */
export function addressOf({ server, settings }: Pick<Snapshot, 'server' | 'settings'>) {
  if (server.phase === 'on') return server.url;
  return settings.port === 0 ? undefined : `http://127.0.0.1:${settings.port}`;
}
