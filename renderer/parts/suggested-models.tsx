import { useEffect, useState } from 'preact/hooks';
import type { FoundModel, Snapshot, SuggestedModel } from '../../server/contract.ts';
import { call } from '../bridge.ts';
import { toSize } from '../format.ts';
import { useAttempt } from '../hooks.ts';
import { toFitNumbers } from '../words.ts';
import { FitBadge, ProblemLine } from './controls.tsx';
import { HubIdForm } from './hub-forms.tsx';

/** What can be downloaded. `use`: to be served once it is here. */
export function SuggestedModels({
  snapshot: { downloads, settings },
  found,
  use,
}: {
  snapshot: Snapshot;
  found: readonly FoundModel[] | undefined;
  use: boolean;
}) {
  const [suggested, setSuggested] = useState<readonly SuggestedModel[]>([]);
  const [problem, setProblem] = useState('');
  useEffect(() => {
    call('suggestModels').then(setSuggested, (error: Error) => setProblem(error.message));
  }, [settings.maxConcurrency]); // whether they fit rests on it
  const isHere = (id: string) => found?.some(({ path }) => path === id) === true;
  const isComing = (id: string) => downloads.some((download) => download.id === id);
  return (
    <section class="suggested" aria-label="Get another">
      <h2>Get Another</h2>
      {suggested.length > 0 && (
        <ul class="models">
          {suggested.map((model) => (
            <SuggestedModelRow
              key={model.id}
              model={model}
              whereabouts={
                isComing(model.id) ? 'Downloading' : isHere(model.id) ? 'Here' : undefined
              }
              onDownload={() => call('download', { id: model.id, use })}
            />
          ))}
        </ul>
      )}
      <ProblemLine text={problem} />
      <HubIdForm onDownload={(id) => call('download', { id, use })} />
    </section>
  );
}

/** A model that can be downloaded, unless it is here or on its way. */
export function SuggestedModelRow({
  model: { id, name, bytes, licence, note, fit },
  whereabouts,
  onDownload,
}: {
  model: SuggestedModel;
  whereabouts: string | undefined;
  onDownload: () => Promise<unknown>;
}) {
  const [isOpen, setOpen] = useState(false);
  const { problem, attempt } = useAttempt();
  return (
    <li class="model-row suggested-row">
      <div class="model-text" title={id}>
        <p class="model-name">{name}</p>
        <p class="model-facts">
          {toSize(bytes)} · {licence}
        </p>
      </div>
      <FitBadge fit={fit} of={name} isOpen={isOpen} onToggle={() => setOpen(!isOpen)} />
      {whereabouts === undefined ? (
        <button
          type="button"
          class="small"
          aria-label={`Download ${name}`}
          onClick={() => attempt(onDownload)}
        >
          Download
        </button>
      ) : (
        <span class="whereabouts">{whereabouts}</span>
      )}
      <p class="note">{note}</p>
      {isOpen && <p class="model-more">{toFitNumbers(fit)}</p>}
      <ProblemLine text={problem} />
    </li>
  );
}
