import { useEffect, useRef } from 'preact/hooks';
import { call, run } from '../bridge.ts';
import { plural } from '../format.ts';

/** Asked before a stop that somebody would feel. It stays until it is answered. */
export function StopChoice({ inFlight, onDone }: { inFlight: number; onDone: () => void }) {
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
