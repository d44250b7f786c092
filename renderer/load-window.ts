import type { LoadSample } from '../server/contract.ts';

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
