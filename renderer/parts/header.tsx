import { useEffect, useRef, useState } from 'preact/hooks';
import type { Snapshot } from '../../server/contract.ts';
import { call, run } from '../bridge.ts';
import { plural, toSize } from '../format.ts';
import { addressOf, type Tone, toStateLabel } from '../labels.ts';
import { CopyButton } from './controls.tsx';

/** The state, model and address, and the Start/Stop button. */
export function Header({ snapshot }: { snapshot: Snapshot }) {
  const { server, runtime, model, load } = snapshot;
  const { label: stateLabel, tone } = toStateLabel(snapshot);
  const [asks, setAsks] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const isOn = server.phase === 'on';
  useEffect(() => setAsks(false), [isOn]);
  const isOff = server.phase === 'off' || server.phase === 'failed';
  const isDisabled = server.phase === 'starting' || (isOff && model === undefined);
  const inFlight = load.running + load.waiting;
  const press = () => {
    if (isDisabled) return;
    if (isOff) run(call('start'));
    else if (server.phase === 'draining') run(call('stop', { now: true }));
    else if (inFlight > 0) setAsks(true);
    else run(call('stop', { now: false }));
  };
  const closeConfirmation = () => {
    setAsks(false);
    button.current?.focus();
  };
  const address = addressOf(snapshot);
  const label = isOff ? 'Start' : server.phase === 'draining' ? 'Stop Now' : 'Stop';
  return (
    <header>
      <h1 class="unseen">Sightglass</h1>
      <div class="state">
        <StateMark tone={tone} />
        <div class="state-text">
          <p class="state-words" role="status">
            {stateLabel}
          </p>
          <p class="model" title={snapshot.settings.modelPath}>
            {model ?? 'No model chosen'}
            {runtime.phase === 'ready' && ` · ${toSize(runtime.memoryBytes)}`}
          </p>
        </div>
        <button
          type="button"
          class={`large ${isOff ? 'primary' : ''}`}
          ref={button}
          aria-disabled={isDisabled}
          onClick={press}
        >
          {label}
        </button>
      </div>
      <p class={`address ${isOn ? '' : 'address-off'}`}>
        <code>{address === undefined ? 'a free port, once the server runs' : `${address}/v1`}</code>
        {isOn && <CopyButton text={`${address}/v1`} what="the address" />}
      </p>
      {asks && isOn && <StopConfirmation inFlight={inFlight} onDone={closeConfirmation} />}
    </header>
  );
}

/** The state as a shape, so that it does not depend on color: a sight glass and its level. */
function StateMark({ tone }: { tone: Tone }) {
  return (
    <svg class={`mark mark-${tone}`} viewBox="0 0 20 20" aria-hidden="true">
      <circle cx="10" cy="10" r="8" />
      {tone === 'off' && <path d="M5 15 15 5" />}
      {tone === 'working' && <path d="M6 10h.01M10 10h.01M14 10h.01" />}
      {tone === 'ready' && <path class="level" d="M2.6 12a8 8 0 0 0 14.8 0z" />}
      {tone === 'busy' && <path class="level" d="M3.1 6a8 8 0 1 0 13.8 0z" />}
      {tone === 'failed' && <path d="M10 5.5v5.5M10 14.2v.1" />}
    </svg>
  );
}

/** Asks what to do with requests in flight before the server stops. */
function StopConfirmation({ inFlight, onDone }: { inFlight: number; onDone: () => void }) {
  const first = useRef<HTMLButtonElement>(null);
  useEffect(() => first.current?.focus(), []);
  const stop = (now: boolean) => {
    onDone();
    run(call('stop', { now }));
  };
  return (
    <div
      class="choice"
      role="alertdialog"
      aria-label="Stop the server"
      aria-describedby="in-flight"
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.preventDefault();
        onDone();
      }}
    >
      <p id="in-flight">{plural(inFlight, 'request')} still being answered.</p>
      <div class="buttons">
        <button type="button" ref={first} class="primary" onClick={() => stop(false)}>
          Let Them Finish
        </button>
        <button type="button" onClick={() => stop(true)}>
          Stop Now
        </button>
        <button type="button" onClick={onDone}>
          Keep Running
        </button>
      </div>
    </div>
  );
}
