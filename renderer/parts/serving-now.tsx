import { useId } from 'preact/hooks';
import type { Snapshot } from '../../server/contract.ts';
import { call, useAttempt } from '../bridge.ts';
import { toSize } from '../format.ts';
import { toAgreement, toModelStateLabel, whyNoCheck } from '../labels.ts';
import { CheckFindings } from './check-findings.tsx';
import { InlineError, ProgressBar } from './controls.tsx';

/** The current model, and a check that compares its answers alone and under concurrent requests. */
export function ServingNow({ snapshot }: { snapshot: Snapshot }) {
  const { model, runtime, check, settings } = snapshot;
  const id = useId();
  const { problem, attempt } = useAttempt();
  if (model === undefined) return null;
  const isRunning = check?.phase === 'running';
  const why = whyNoCheck(snapshot);
  const isDisabled = !isRunning && why !== undefined;
  const press = () => {
    if (!isDisabled) attempt(() => call(isRunning ? 'stopCheck' : 'checkModel'));
  };
  return (
    <section class="serving" aria-label="Serving now">
      <h2>Serving Now</h2>
      <div class="card">
        <div class="card-head">
          <div class="grow">
            <p class="model-name" title={settings.modelPath}>
              {model}
            </p>
            <p class="model-facts">
              {toModelStateLabel(snapshot)}
              {runtime.phase === 'ready' && ` · ${toSize(runtime.memoryBytes)} memory in use`}
            </p>
          </div>
          <button
            type="button"
            class="check-button"
            aria-disabled={isDisabled}
            aria-describedby={id}
            {...(isRunning ? { 'aria-label': 'Stop the check' } : {})}
            onClick={press}
          >
            {isRunning ? 'Stop' : check === undefined ? 'Check This Model' : 'Check Again'}
          </button>
        </div>
        {isRunning && <ProgressBar label="Check of the model" done={check.done} of={check.of} />}
        <p class="help" id={id}>
          {isRunning
            ? `Asking about pictures: ${check.done} of ${check.of} answered.`
            : (why ??
              'Asks about pictures one at a time and concurrently, and compares the answers.')}
        </p>
        <div class="verdict" role="status">
          {check?.phase === 'failed' && <p class="problem">{check.message}</p>}
          {check?.phase === 'done' && (
            <p class={check.result.differing.length === 0 ? 'agreed' : 'differed'}>
              {toAgreement(check.result)}
            </p>
          )}
        </div>
        <InlineError text={problem} />
        {check?.phase === 'done' && (
          <CheckFindings result={check.result} maxConcurrency={settings.maxConcurrency} />
        )}
      </div>
    </section>
  );
}
