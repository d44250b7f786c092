import type { Snapshot } from '../../server/contract.ts';
import type { Applied } from '../change-settings.ts';
import type { ModelSearch } from '../use-found-models.ts';
import { FoundModelRow } from './found-model-row.tsx';
import { ModelFolders } from './model-folders.tsx';
import { ProblemLine } from './problem-line.tsx';
import { UnusableModels } from './unusable-models.tsx';

/** The models on this Mac, one of them served; those that cannot be are named with their reasons. */
export function FoundModels({
  snapshot,
  search,
  onUse,
}: {
  snapshot: Snapshot;
  search: ModelSearch;
  onUse: (path: string) => Promise<Applied>;
}) {
  const { found, isSearching, problem, searchAgain } = search;
  const usable = found?.filter((model) => model.problem === undefined) ?? [];
  const unusable = found?.filter((model) => model.problem !== undefined) ?? [];
  return (
    <section class="found" aria-label="On this Mac">
      <div class="section-head">
        <h2 class="grow">On This Mac</h2>
        <button
          type="button"
          class="small"
          aria-disabled={isSearching}
          onClick={() => !isSearching && searchAgain()}
        >
          Search Again
        </button>
      </div>
      <ul class="models" aria-busy={isSearching}>
        {usable.map((model) => (
          <FoundModelRow key={model.path} model={model} snapshot={snapshot} onUse={onUse} />
        ))}
        {usable.length === 0 && (
          <li class="empty">
            {isSearching
              ? 'Looking…'
              : 'No vision models where other apps keep them, nor in your own folders.'}
          </li>
        )}
      </ul>
      <ProblemLine text={problem} />
      <UnusableModels models={unusable} />
      <ModelFolders folders={snapshot.settings.modelFolders} onUse={onUse} onSearch={searchAgain} />
    </section>
  );
}
