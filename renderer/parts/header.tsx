import { useEffect, useRef, useState } from 'preact/hooks';
import type { Snapshot } from '../../server/contract.ts';
import { addressOf } from '../address.ts';
import { call, run } from '../bridge.ts';
import { toSize } from '../format.ts';
import { toStateWords } from '../state-words.ts';
import { CopyButton } from './copy-button.tsx';
import { StateMark } from './state-mark.tsx';
import { StopChoice } from './stop-choice.tsx';

/** State, model, address, and the one large button. */
export function Header({ snapshot }: { snapshot: Snapshot }) {
  const { server, runtime, model, load } = snapshot;
  const { words, tone } = toStateWords(snapshot);
  const [asks, setAsks] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const isOn = server.phase === 'on';
  useEffect(() => setAsks(false), [isOn]);
  const isOff = server.phase === 'off' || server.phase === 'failed';
  const isHeld = server.phase === 'starting' || (isOff && model === undefined);
  const inFlight = load.running + load.waiting;
  const press = () => {
    if (isHeld) return;
    if (isOff) run(call('start'));
    else if (server.phase === 'draining') run(call('stop', { now: true }));
    else if (inFlight > 0) setAsks(true);
    else run(call('stop', { now: false }));
  };
  const answered = () => {
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
            {words}
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
          aria-disabled={isHeld}
          onClick={press}
        >
          {label}
        </button>
      </div>
      <p class={`address ${isOn ? '' : 'address-off'}`}>
        <code>{address === undefined ? 'a free port, once it is on' : `${address}/v1`}</code>
        {isOn && <CopyButton text={`${address}/v1`} what="the address" />}
      </p>
      {asks && isOn && <StopChoice inFlight={inFlight} onDone={answered} />}
    </header>
  );
}
