import { useEffect, useRef, useState } from 'preact/hooks';
import type { FoundModel, Snapshot } from '../server/contract.ts';
import { call } from './bridge.ts';

export interface ModelSearch {
  /** Undefined until the first search has finished. */
  found: readonly FoundModel[] | undefined;
  isSearching: boolean;
  /** The error of the latest search, or an empty string. */
  problem: string;
  searchAgain: () => void;
}

/**
 * Searches for models on this Mac: once at first, and again after the folders or the concurrency have
 * changed or a download has finished.
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
    const finish = (then: () => void) => {
      if (!isLatest) return;
      setSearching(false);
      then();
    };
    setSearching(true);
    setProblem('');
    call('findModels').then(
      (models) => finish(() => setFound(models)),
      (error: Error) => finish(() => setProblem(error.message)),
    );
    return () => {
      isLatest = false;
    };
  }, [searches, settings.modelFolders.join('\n'), settings.maxConcurrency]);
  return { found, isSearching, problem, searchAgain };
}
