import type { LoadSample, Snapshot } from '../server/contract.ts';

/** The time span of the load chart. */
export const WINDOW_MS = 5 * 60_000;

/** Keeps one sample per second, and none older than the chart shows. */
export function appendSample(samples: readonly LoadSample[], { at, load }: Snapshot): LoadSample[] {
  const { running, waiting, tokensPerSecond } = load;
  const sample = { at, running, waiting, tokensPerSecond };
  const last = samples.at(-1);
  const isSameSecond = last !== undefined && Math.floor(last.at / 1000) === Math.floor(at / 1000);
  const kept = samples.filter((each) => at - each.at < WINDOW_MS);
  return [...(isSameSecond ? kept.slice(0, -1) : kept), sample];
}

/** When the last load will have moved out of the chart; infinity while there is load. */
export function movesUntil(samples: readonly LoadSample[]): number {
  const last = samples.findLastIndex(
    ({ running, waiting, tokensPerSecond }) => running + waiting + tokensPerSecond > 0,
  );
  if (last === -1) return Number.NEGATIVE_INFINITY;
  const next = samples[last + 1];
  return next === undefined ? Number.POSITIVE_INFINITY : next.at + WINDOW_MS;
}
