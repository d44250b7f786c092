import type { LoadSample, Snapshot } from '../server/contract.ts';

/** A length of time as a person reads it: `840 ms`, `2.1 s`, `3 min 5 s`, `2 h`. */
export function toDuration(ms: number): string {
  if (ms < 999.5) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60)
    return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}

/** How old something is, or how long it took, where little room is: seconds only below ten minutes. */
export function toAge(ms: number): string {
  const isLong = ms >= 600_000 && ms < 3_600_000;
  return toDuration(isLong ? Math.floor(ms / 60_000) * 60_000 : Math.max(0, ms));
}

/** A size as macOS says it, in powers of ten. */
export function toSize(bytes: number): string {
  if (bytes < 1e6) return `${Math.max(1, Math.round(bytes / 1e3))} KB`;
  if (bytes < 1e9) return `${Math.round(bytes / 1e6)} MB`;
  return `${(bytes / 1e9).toFixed(1)} GB`;
}

/** The time of day, to the second. */
export function toTime(at: number): string {
  return new Date(at).toLocaleTimeString(undefined, { hour12: false });
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

/** How a request ended, in words; the code of a rarer error as it is. */
export function toOutcome(outcome: string | undefined): string {
  return OUTCOMES[outcome ?? ''] ?? (outcome ?? '').replaceAll('_', ' ');
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** Where clients find the server, or will once it is on; undefined when that is not known yet. */
export function addressOf({ server, settings }: Pick<Snapshot, 'server' | 'settings'>) {
  if (server.phase === 'on') return server.url;
  return settings.port === 0 ? undefined : `http://127.0.0.1:${settings.port}`;
}

/** How far back the chart goes. */
export const WINDOW_MS = 5 * 60_000;

/** When the last of the load has left the chart; infinite while there is some, which moves by itself. */
export function movesUntil(samples: readonly LoadSample[]): number {
  const last = samples.findLastIndex(
    ({ running, waiting, tokensPerSecond }) => running + waiting + tokensPerSecond > 0,
  );
  if (last === -1) return Number.NEGATIVE_INFINITY;
  const next = samples[last + 1];
  return next === undefined ? Number.POSITIVE_INFINITY : next.at + WINDOW_MS;
}
