import { useState } from 'preact/hooks';
import type { Snapshot } from '../../server/contract.ts';
import { call } from '../bridge.ts';
import { toStateWords } from '../state-words.ts';
import { CopyButton } from './copy-button.tsx';
import { StateMark } from './state-mark.tsx';
import { StopChoice } from './stop-choice.tsx';

/** State, model, address, and the one large button. */
export function Header({ snapshot }: { snapshot: Snapshot }) {
  const { server, model, load } = snapshot;
  const { words, tone } = toStateWords(snapshot);
  const [asks, setAsks] = useState(false);
  const isOff = server.phase === 'off' || server.phase === 'failed';
  const inFlight = load.running + load.waiting;
  const press = () => {
    if (isOff) void call('start');
    else if (server.phase === 'draining') void call('stop', { now: true });
    else if (inFlight > 0) setAsks(true);
    else void call('stop', { now: false });
  };
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
          </p>
        </div>
        <button
          type="button"
          class={`large ${isOff ? 'primary' : ''}`}
          disabled={server.phase === 'starting' || (isOff && model === undefined)}
          onClick={press}
        >
          {label}
        </button>
      </div>
      {server.phase === 'on' && (
        <p class="address">
          <code>{server.url}/v1</code>
          <CopyButton text={`${server.url}/v1`} what="the address" />
        </p>
      )}
      {asks && server.phase === 'on' && inFlight > 0 && (
        <StopChoice inFlight={inFlight} onDone={() => setAsks(false)} />
      )}
    </header>
  );
}
