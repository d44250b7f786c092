import { useRef, useState } from 'preact/hooks';
import type { FoundModel, Snapshot } from '../../server/contract.ts';
import { type Applied, useAttempt } from '../bridge.ts';
import { toFacts, toFitNumbers, toFitWarning, toModelStateLabel } from '../labels.ts';
import type { ModelSearch } from '../model-search.ts';
import { Confirmation, FitBadge, InlineError } from './controls.tsx';
import { ModelFolders } from './model-folders.tsx';

/** The models on this Mac, and separately those that cannot be used, with the reasons. */
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
              : 'No vision models found in your folders or those of other apps.'}
          </li>
        )}
      </ul>
      <InlineError text={problem} />
      <UnusableModels models={unusable} />
      <ModelFolders folders={snapshot.settings.modelFolders} onUse={onUse} onSearch={searchAgain} />
    </section>
  );
}

/** A usable model. Clicking it serves it, after a confirmation if it does not fit in memory. */
function FoundModelRow({
  model,
  snapshot,
  onUse,
}: {
  model: FoundModel;
  snapshot: Snapshot;
  onUse: (path: string) => Promise<Applied>;
}) {
  const { path, name, fit, note } = model;
  const [asks, setAsks] = useState(false);
  const [isOpen, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const { problem, attempt } = useAttempt();
  const isChosen = path === snapshot.settings.modelPath;
  const use = () => attempt(() => onUse(path));
  const choose = () => {
    if (isChosen) return;
    if (fit?.verdict === 'too_large') setAsks(true);
    else use();
  };
  const closeConfirmation = () => {
    setAsks(false);
    button.current?.focus();
  };
  return (
    <li class="model-row">
      <button
        type="button"
        class="model-button"
        ref={button}
        aria-pressed={isChosen}
        title={path}
        onClick={choose}
      >
        <span class="model-name">{name}</span>
        <ModelFacts model={model} state={isChosen ? toModelStateLabel(snapshot) : undefined} />
      </button>
      {fit !== undefined && (
        <FitBadge fit={fit} of={name} isOpen={isOpen} onToggle={() => setOpen(!isOpen)} />
      )}
      {note !== undefined && <p class="model-more">{note}</p>}
      {fit !== undefined && isOpen && <p class="model-more">{toFitNumbers(fit)}</p>}
      {fit !== undefined && asks && (
        <Confirmation
          question={toFitWarning(fit)}
          yes="Use It Anyway"
          no="Cancel"
          onYes={() => {
            closeConfirmation();
            use();
          }}
          onNo={closeConfirmation}
        />
      )}
      <InlineError text={problem} />
    </li>
  );
}

function ModelFacts({ model, state }: { model: FoundModel; state: string | undefined }) {
  return (
    <span class="model-facts">
      {state !== undefined && <b class="chosen">✓ {state}</b>}
      {state !== undefined && ' · '}
      {toFacts(model)}
    </span>
  );
}

/** Models that cannot be used: why, and what to do about it. */
function UnusableModels({ models }: { models: readonly FoundModel[] }) {
  if (models.length === 0) return null;
  return (
    <details class="unusable">
      <summary>
        <h3>Cannot be used ({models.length})</h3>
      </summary>
      <ul class="models">
        {models.map((model) => (
          <li key={model.path} class="unusable-row">
            <p class="model-name" title={model.path}>
              {model.name}
            </p>
            <p class="model-facts">{toFacts(model)}</p>
            <p class="problem">{model.problem?.message}</p>
            <p class="help">{model.problem?.remedy}</p>
          </li>
        ))}
      </ul>
    </details>
  );
}
