import { useState } from 'preact/hooks';
import { call } from '../bridge.ts';
import { useAttempt } from '../use-attempt.ts';
import { ProblemLine } from './problem-line.tsx';

/** Takes a token to the keychain. It is not kept here, and never shown. */
export function HubTokenForm({ onSaved }: { onSaved: () => Promise<unknown> }) {
  const [token, setToken] = useState('');
  const { problem, attempt } = useAttempt();
  const isHeld = token.trim() === '';
  const save = async () => {
    await call('setHubToken', { token: token.trim() });
    setToken('');
    await onSaved();
  };
  return (
    <form
      class="hub-token"
      onSubmit={(event) => {
        event.preventDefault();
        if (!isHeld) attempt(save);
      }}
    >
      <div class="row">
        <label class="grow">
          <span>Hugging Face token</span>
          <input
            type="password"
            value={token}
            placeholder="hf_…"
            autocomplete="off"
            spellcheck={false}
            onInput={(event) => setToken(event.currentTarget.value)}
          />
        </label>
        <button type="submit" aria-disabled={isHeld}>
          Save and Try Again
        </button>
      </div>
      <p class="help">It is kept in the keychain of this Mac.</p>
      <ProblemLine text={problem} />
    </form>
  );
}
