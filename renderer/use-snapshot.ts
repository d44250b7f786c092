import { useEffect, useState } from 'preact/hooks';
import type { LoadSample, Snapshot } from '../server/contract.ts';
import { call, on, run } from './bridge.ts';
import { WINDOW_MS } from './load-window.ts';

/** After a longer silence, as of a hidden panel, the history has what was missed. */
const GAP_MS = 2000;

export interface Shown {
  snapshot: Snapshot;
  /** The load of the last minutes, the oldest first. */
  samples: readonly LoadSample[];
}

/** What main tells; undefined until it has told something. */
export function useSnapshot(): Shown | undefined {
  const [shown, setShown] = useState<Shown>();
  useEffect(() => {
    let toldAt = Number.NEGATIVE_INFINITY;
    const add = (snapshot: Snapshot) => {
      const isGap = snapshot.at - toldAt > GAP_MS;
      toldAt = snapshot.at;
      setShown((before) => ({ snapshot, samples: append(before?.samples ?? [], snapshot) }));
      if (isGap) run(refresh());
    };
    const refresh = async () => {
      const [asked, samples] = await Promise.all([call('snapshot'), call('history')]);
      setShown((before) => {
        // One that was told in the meantime is newer than the one asked for.
        const snapshot = before && before.snapshot.at >= asked.at ? before.snapshot : asked;
        return { snapshot, samples: append(samples, snapshot) };
      });
    };
    run(refresh());
    return on('snapshot', add);
  }, []);
  return shown;
}

/** At most one point a second, and none older than the chart shows. */
function append(samples: readonly LoadSample[], { at, load }: Snapshot): LoadSample[] {
  const { running, waiting, tokensPerSecond } = load;
  const sample = { at, running, waiting, tokensPerSecond };
  const last = samples.at(-1);
  const isSameSecond = last !== undefined && Math.floor(last.at / 1000) === Math.floor(at / 1000);
  const kept = samples.filter((each) => at - each.at < WINDOW_MS);
  return [...(isSameSecond ? kept.slice(0, -1) : kept), sample];
}
