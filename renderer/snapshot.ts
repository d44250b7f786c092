import { useEffect, useState } from 'preact/hooks';
import type { LoadSample, Snapshot } from '../server/contract.ts';
import { call, on, run } from './bridge.ts';
import { appendSample } from './load-window.ts';

/** After a longer gap, as when the panel was hidden, the missed samples are fetched from main. */
const GAP_MS = 2000;

export interface Shown {
  snapshot: Snapshot;
  /** The load of the last few minutes, oldest first. */
  samples: readonly LoadSample[];
}

/** The latest snapshot from main; undefined until the first one arrives. */
export function useSnapshot(): Shown | undefined {
  const [shown, setShown] = useState<Shown>();
  useEffect(() => {
    let receivedAt = Number.NEGATIVE_INFINITY;
    const add = (snapshot: Snapshot) => {
      const isGap = snapshot.at - receivedAt > GAP_MS;
      receivedAt = snapshot.at;
      setShown((before) => ({ snapshot, samples: appendSample(before?.samples ?? [], snapshot) }));
      if (isGap) run(refresh());
    };
    const refresh = async () => {
      const [fetched, samples] = await Promise.all([call('snapshot'), call('history')]);
      setShown((before) => {
        // A snapshot event that arrived in the meantime is newer.
        const snapshot = before && before.snapshot.at >= fetched.at ? before.snapshot : fetched;
        return { snapshot, samples: appendSample(samples, snapshot) };
      });
    };
    run(refresh());
    return on('snapshot', add);
  }, []);
  return shown;
}

function useVisible(): boolean {
  const [isVisible, setVisible] = useState(document.visibilityState === 'visible');
  useEffect(() => {
    const read = () => setVisible(document.visibilityState === 'visible');
    document.addEventListener('visibilitychange', read);
    return () => document.removeEventListener('visibilitychange', read);
  }, []);
  return isVisible;
}

/** The current time, updated every second while `runs` is true and the panel is visible. */
export function useClock(runs: boolean): number {
  const [now, setNow] = useState(Date.now());
  const isTicking = useVisible() && runs;
  useEffect(() => {
    if (!isTicking) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [isTicking]);
  return now;
}
