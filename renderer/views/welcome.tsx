import type { Snapshot } from '../../server/contract.ts';
import { call, changeSettings, useAttempt } from '../bridge.ts';
import { useFoundModels } from '../model-search.ts';
import { InlineError } from '../parts/controls.tsx';
import { Downloads } from '../parts/downloads.tsx';
import { FoundModels } from '../parts/found-models.tsx';
import { SuggestedModels } from '../parts/suggested-models.tsx';

/** The first launch: choose a model, or try the demo model. */
export function Welcome({ snapshot }: { snapshot: Snapshot }) {
  const search = useFoundModels(snapshot);
  const { problem, attempt } = useAttempt();
  const use = async (modelPath: string) => {
    const applied = await changeSettings({ modelPath });
    await call('start');
    return applied;
  };
  return (
    <>
      <section class="welcome" aria-label="Choose a model">
        <h2>Which model should answer?</h2>
        <p>
          Sightglass serves one vision-language model to every app on this Mac. Nothing you show it
          leaves this Mac.
        </p>
        <button
          type="button"
          class="primary wide"
          onClick={() => attempt(() => call('demoModel').then(use))}
        >
          Try the Demo Model
        </button>
        <p class="help">
          Tiny and built in: it knows drawn shapes, their colours and printed numbers. Good for a
          first request.
        </p>
        <InlineError text={problem} />
      </section>
      <Downloads downloads={snapshot.downloads} use />
      <FoundModels snapshot={snapshot} search={search} onUse={use} />
      <SuggestedModels snapshot={snapshot} found={search.found} use />
    </>
  );
}
