import type { CheckResult, Download, Fit, FoundModel, Snapshot } from '../server/contract.ts';
import { plural, toAge, toSize } from './format.ts';

export const FIT_WORDS: Readonly<Record<Fit['verdict'], string>> = {
  fits: 'Fits',
  tight: 'Tight',
  too_large: 'Does not fit',
};

/** What a verdict rests on. */
export function toFitNumbers(fit: Fit): string {
  const { weightsBytes, cacheBytes, requests, tokensPerRequest, memoryBytes } = fit;
  const tokens = tokensPerRequest.toLocaleString('en');
  const cache = `${toShortSize(cacheBytes)} for ${plural(requests, 'request')} of ${tokens} tokens`;
  const needed = `${toShortSize(weightsBytes)} weights${cacheBytes === 0 ? '' : ` + ${cache}`}`;
  return `${needed}; this Mac has ${toShortSize(memoryBytes)} for models.`;
}

/** Asked before a model is used that there is no room for. */
export function toFitWarning({ weightsBytes, cacheBytes, memoryBytes }: Fit): string {
  const needed = toShortSize(weightsBytes + cacheBytes);
  return `It needs ${needed}, and this Mac has ${toShortSize(memoryBytes)} for models. Loading it may fail, or slow everything down.`;
}

/** `18 GB`, where `toSize` says `18.0 GB` so that a number that changes stays as wide. */
function toShortSize(bytes: number): string {
  return toSize(bytes).replace('.0 ', ' ');
}

/** What there is to know of a model, in one line. */
export function toFacts({ bytes, type, quantization, place, seesPictures }: FoundModel): string {
  const blind = seesPictures === false ? 'sees no pictures' : undefined;
  return [toSize(bytes), type, quantization, place, blind]
    .filter((fact) => fact !== undefined)
    .join(' · ');
}

/** What the chosen model is doing. */
export function toServingWords({ server, runtime }: Pick<Snapshot, 'server' | 'runtime'>): string {
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

/** Why the served model cannot be checked now; undefined when it can. */
export function whyNoCheck({ server, runtime }: Pick<Snapshot, 'server' | 'runtime'>) {
  if (server.phase === 'draining') return 'The server is stopping.';
  if (server.phase !== 'on') return 'Start the server to check it.';
  switch (runtime.phase) {
    case 'ready':
      return undefined;
    case 'unloaded':
      return 'It is unloaded. Ask it something to load it, then check it.';
    case 'failed':
      return 'It could not be loaded, so there is nothing to check.';
    default:
      return 'It can be checked once it is loaded.';
  }
}

/** Whether concurrency changed what the model said. Each question is asked together more than once. */
export function toAgreement({ questions, differing, speeds }: CheckResult): string {
  if (differing.length > 0) {
    const together = questions * Math.max(1, speeds.length - 1);
    return `${differing.length} of ${plural(together, 'answer')} changed when asked together.`;
  }
  return questions === 1
    ? 'The answer was the same alone and together.'
    : `All ${questions} answers were the same alone and together.`;
}

/** How far a download is, in one line. */
export function toDownloadWords(download: Download): string {
  const { phase, bytesPerSecond, secondsLeft } = download;
  const size = toSizeSoFar(download);
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

/** `1.2 of 3.1 GB`, both in the unit of the whole. */
function toSizeSoFar({ doneBytes, totalBytes }: Download): string | undefined {
  if (totalBytes === undefined) return doneBytes === 0 ? undefined : toSize(doneBytes);
  const [unit, digits] = totalBytes < 1e6 ? [1e3, 0] : totalBytes < 1e9 ? [1e6, 0] : [1e9, 1];
  return `${(doneBytes / unit).toFixed(digits)} of ${toSize(totalBytes)}`;
}

/** In whole seconds; without them when there are ten minutes and more. */
function toTimeLeft(seconds: number): string {
  const whole = Math.max(1, Math.round(seconds));
  return whole < 10 ? `${whole} s` : toAge(whole * 1000);
}

export type Tone = 'off' | 'working' | 'ready' | 'busy' | 'failed';

/** What the header says of the whole, and in which tone. */
export function toStateWords({ server, runtime, load }: Snapshot): { words: string; tone: Tone } {
  if (server.phase === 'failed' || runtime.phase === 'failed') {
    return { words: 'Failed', tone: 'failed' };
  }
  if (server.phase === 'off') return { words: 'Stopped', tone: 'off' };
  if (server.phase === 'starting') return { words: 'Starting', tone: 'working' };
  if (server.phase === 'draining') return { words: 'Finishing requests', tone: 'working' };
  switch (runtime.phase) {
    case 'ready':
      return load.running + load.waiting > 0
        ? { words: 'Busy', tone: 'busy' }
        : { words: 'Ready', tone: 'ready' };
    case 'unloaded':
      return { words: 'Ready, model unloaded', tone: 'ready' };
    case 'crashed':
      return { words: 'Restarting the model', tone: 'failed' };
    case 'stopping':
      return { words: 'Unloading the model', tone: 'working' };
    default:
      return { words: 'Loading the model', tone: 'working' };
  }
}
