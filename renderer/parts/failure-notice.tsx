import { useEffect, useState } from 'preact/hooks';
import { onFailure } from '../bridge.ts';

/** What main said when it could not do what was pressed, until it is put away. */
export function FailureNotice() {
  const [message, setMessage] = useState('');
  useEffect(() => onFailure(setMessage), []);
  if (message === '') return null;
  return (
    <section class="trouble" role="alert">
      <p class="trouble-message">That did not work.</p>
      <p>{message}</p>
      <div class="buttons">
        <button type="button" onClick={() => setMessage('')}>
          Dismiss
        </button>
      </div>
    </section>
  );
}
