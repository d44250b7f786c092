import { useEffect, useState } from 'preact/hooks';
import type { FoundModel, Snapshot, SuggestedModel } from '../../server/contract.ts';
import { call, useAttempt } from '../bridge.ts';
import { toSize } from '../format.ts';
import { toFitNumbers } from '../labels.ts';
import { FitBadge, InlineError } from './controls.tsx';
import { HubIdForm } from './hub-forms.tsx';

/** Models to download. With `use`, a downloaded model is served once it is complete. */
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
  }, [settings.maxConcurrency]); // it determines which models fit
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
              status={
                isComing(model.id) ? 'Downloading' : isHere(model.id) ? 'Downloaded' : undefined
              }
              onDownload={() => call('download', { id: model.id, use })}
            />
          ))}
        </ul>
      )}
      <InlineError text={problem} />
      <HubIdForm onDownload={(id) => call('download', { id, use })} />
    </section>
  );
}

/** A suggested model, with a Download button unless it is already downloaded or downloading. */
function SuggestedModelRow({
  model: { id, name, bytes, licence, note, fit },
  status,
  onDownload,
}: {
  model: SuggestedModel;
  status: string | undefined;
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
      {status === undefined ? (
        <button
          type="button"
          class="small"
          aria-label={`Download ${name}`}
          onClick={() => attempt(onDownload)}
        >
          Download
        </button>
      ) : (
        <span class="whereabouts">{status}</span>
      )}
      <p class="note">{note}</p>
      {isOpen && <p class="model-more">{toFitNumbers(fit)}</p>}
      <InlineError text={problem} />
    </li>
  );
}
