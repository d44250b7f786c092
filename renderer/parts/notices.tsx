import { useEffect, useState } from 'preact/hooks';
import type { Snapshot, Trouble, UpdateView } from '../../server/contract.ts';
import { call, changeSettings, onFailure, run } from '../bridge.ts';
import { ProgressBar } from './controls.tsx';

/** Explains the current failure, and what to do about it. */
export function TroubleBanner({ snapshot }: { snapshot: Snapshot }) {
  const { server, runtime, trouble, model } = snapshot;
  const failed = [server, runtime].find((part) => part.phase === 'failed');
  const shown = failed?.trouble ?? trouble; // a failure is shown until it is fixed
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

/** An update that is downloading or ready to install. */
export function UpdateNotice({ update }: { update: UpdateView | undefined }) {
  if (update === undefined || update.phase === 'checking') return null;
  const name = `Sightglass ${update.version}`;
  if (update.phase === 'ready') {
    return (
      <section class="update" aria-label="Update">
        <p class="grow" role="status">
          {name} will be installed when you quit.
        </p>
        <button type="button" class="small" onClick={() => run(call('quit'))}>
          Quit and Install
        </button>
      </section>
    );
  }
  const isDownloading = update.phase === 'downloading';
  return (
    <section class="update" aria-label="Update">
      <p class="grow">
        {isDownloading ? `Downloading ${name}: ${update.percent}%` : `Preparing ${name}…`}
      </p>
      <ProgressBar
        label={isDownloading ? `Downloading ${name}` : `Preparing ${name}`}
        done={isDownloading ? update.percent : 0}
        of={isDownloading ? 100 : undefined}
      />
    </section>
  );
}

/** The error of the user's last action, until it is dismissed. */
export function FailureNotice() {
  const [message, setMessage] = useState('');
  useEffect(() => onFailure(setMessage), []);
  if (message === '') return null;
  return (
    <section class="trouble" role="alert">
      <p class="trouble-message">Something went wrong.</p>
      <p>{message}</p>
      <div class="buttons">
        <button type="button" onClick={() => setMessage('')}>
          Dismiss
        </button>
      </div>
    </section>
  );
}
