import { useEffect, useRef, useState } from 'preact/hooks';
import type { FoundModel, Snapshot } from '../server/contract.ts';
import { call } from './bridge.ts';

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
