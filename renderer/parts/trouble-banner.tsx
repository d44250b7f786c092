import type { Snapshot, Trouble } from '../../server/contract.ts';
import { call, run } from '../bridge.ts';
import { changeSettings } from '../change-settings.ts';

/** What went wrong, in words, and what to do about it. */
export function TroubleBanner({ snapshot }: { snapshot: Snapshot }) {
  const { server, runtime, trouble, model } = snapshot;
  const failed = [server, runtime].find((part) => part.phase === 'failed');
  const shown = failed?.trouble ?? trouble; // what has failed stays told until it is mended
  if (shown === undefined || model === undefined) return null;
  const restart = async () => {
    await call('stop', { now: true });
    await call('start');
  };
  return (
    <section class="trouble" role="alert">
      <p class="trouble-message">{shown.message}</p>
      <p>{shown.remedy}</p>
      <div class="buttons">
        <PortButton trouble={shown} />
        {failed !== undefined ? (
          <button type="button" onClick={() => run(restart())}>
            Try Again
          </button>
        ) : (
          <button type="button" onClick={() => run(call('dismissTrouble'))}>
            Dismiss
          </button>
        )}
      </div>
    </section>
  );
}

function PortButton({ trouble: { freePort } }: { trouble: Trouble }) {
  if (freePort === undefined) return null;
  const use = async () => {
    await changeSettings({ port: freePort });
    await call('start');
  };
  return (
    <button type="button" class="primary" onClick={() => run(use())}>
      Use Port {freePort}
    </button>
  );
}
