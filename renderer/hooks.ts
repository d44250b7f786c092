import { useEffect, useRef, useState } from 'preact/hooks';
import type { FoundModel, LoadSample, SettingsChange, Snapshot } from '../server/contract.ts';
import { call, on, run } from './bridge.ts';
import { WINDOW_MS } from './format.ts';

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

function useVisible(): boolean {
  const [isVisible, setVisible] = useState(document.visibilityState === 'visible');
  useEffect(() => {
    const read = () => setVisible(document.visibilityState === 'visible');
    document.addEventListener('visibilitychange', read);
    return () => document.removeEventListener('visibilitychange', read);
  }, []);
  return isVisible;
}

/** The time, told anew each second while `runs` and the panel is to be seen; else there is no timer. */
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

/**
 * What a person started in one place: what it failed with is to be told there. While it runs,
 * another press does nothing.
 */
export function useAttempt() {
  const [problem, setProblem] = useState('');
  const isRunning = useRef(false);
  const attempt = (work: () => Promise<unknown>): void => {
    if (isRunning.current) return;
    isRunning.current = true;
    setProblem('');
    work()
      .catch((error: Error) => setProblem(error.message))
      .finally(() => {
        isRunning.current = false;
      });
  };
  return { problem, attempt };
}

export interface ModelSearch {
  /** None before the first search has ended. */
  found: readonly FoundModel[] | undefined;
  isSearching: boolean;
  /** What the latest search failed with. */
  problem: string;
  searchAgain: () => void;
}

/**
 * The models on this Mac. They are looked for once, and again when that may find others: after the
 * folders have changed, or how much memory requests take, or a download has come to its end.
 */
export function useFoundModels({ settings, downloads }: Snapshot): ModelSearch {
  const [found, setFound] = useState<readonly FoundModel[]>();
  const [isSearching, setSearching] = useState(true);
  const [problem, setProblem] = useState('');
  const [searches, setSearches] = useState(0);
  const searchAgain = () => setSearches((count) => count + 1);
  const ids = downloads.map(({ id }) => id);
  const before = useRef(ids);
  useEffect(() => {
    if (before.current.some((id) => !ids.includes(id))) searchAgain();
    before.current = ids;
  }, [ids.join()]);
  useEffect(() => {
    let isLatest = true;
    const end = (then: () => void) => {
      if (!isLatest) return;
      setSearching(false);
      then();
    };
    setSearching(true);
    setProblem('');
    call('findModels').then(
      (models) => end(() => setFound(models)),
      (error: Error) => end(() => setProblem(error.message)),
    );
    return () => {
      isLatest = false;
    };
  }, [searches, settings.modelFolders.join('\n'), settings.maxConcurrency]);
  return { found, isSearching, problem, searchAgain };
}

export type Applied = Exclude<SettingsChange['applied'], 'no'>;

/** Changes settings; tells when they hold. @throws Error with all that main says is wrong */
export async function changeSettings(changes: Record<string, unknown>): Promise<Applied> {
  const change = await call('changeSettings', changes);
  if (change.applied !== 'no') return change.applied;
  throw new Error(change.problems.map(({ message }) => message).join(' '));
}
