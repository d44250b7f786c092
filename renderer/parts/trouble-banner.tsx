import type { Snapshot, Trouble } from '../../server/contract.ts';
import { call } from '../bridge.ts';

/** What went wrong, in words, and what to do about it. */
export function TroubleBanner({ snapshot }: { snapshot: Snapshot }) {
  const { server, runtime, trouble, model } = snapshot;
  const isOffByFailure = server.phase === 'failed';
  const shown = isOffByFailure ? server.trouble : trouble;
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
        {(isOffByFailure || runtime.phase === 'failed') && (
          <button type="button" onClick={() => void restart()}>
            Try Again
          </button>
        )}
        {!isOffByFailure && (
          <button type="button" onClick={() => void call('dismissTrouble')}>
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
    await call('changeSettings', { port: freePort });
    await call('start');
  };
  return (
    <button type="button" class="primary" onClick={() => void use()}>
      Use Port {freePort}
    </button>
  );
}
