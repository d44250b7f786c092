import { useEffect, useState } from 'preact/hooks';
import type { FoundModel, Snapshot, SuggestedModel } from '../../server/contract.ts';
import { call } from '../bridge.ts';
import { HubIdForm } from './hub-id-form.tsx';
import { ProblemLine } from './problem-line.tsx';
import { SuggestedModelRow } from './suggested-model-row.tsx';

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
