import { useState } from 'preact/hooks';
import { call, useAttempt } from '../bridge.ts';
import { InlineError } from './controls.tsx';

/** Downloads any model from the Hugging Face Hub by its id. */
export function HubIdForm({ onDownload }: { onDownload: (id: string) => Promise<unknown> }) {
  const [id, setId] = useState('');
  const [said, setSaid] = useState('');
  const { problem, attempt } = useAttempt();
  const wanted = id.trim();
  const download = async () => {
    setSaid('');
    await onDownload(wanted);
    setId('');
    setSaid(`${wanted} is downloading. See Downloads above.`);
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (wanted !== '') attempt(download);
      }}
    >
      <div class="row hub-id">
        <label class="grow">
          <span>or a Hugging Face id</span>
          <input
            value={id}
            placeholder="mlx-community/Qwen3-VL-4B-Instruct-4bit"
            onInput={(event) => setId(event.currentTarget.value)}
            autocomplete="off"
            spellcheck={false}
          />
        </label>
        <button type="submit" aria-disabled={wanted === ''}>
          Download
        </button>
      </div>
      <p class="help" role="status">
        {said}
      </p>
      <InlineError text={problem} />
    </form>
  );
}

/** Shows that a Hugging Face token is stored or cannot be read, and removes it. */
export function HubToken({ isKept, isLocked }: { isKept: boolean; isLocked: boolean }) {
  const { problem, attempt } = useAttempt();
  if (!isKept && !isLocked) return null;
  return (
    <section aria-label="Hugging Face token">
      <div class="row">
        <p class="help grow">
          {isLocked
            ? 'The Hugging Face token could not be read from the keychain. Unlock the keychain and try again, or remove the token.'
            : 'A Hugging Face token is stored in the keychain.'}
        </p>
        {isLocked && (
          <button type="button" class="small" onClick={() => attempt(() => call('unlockSecrets'))}>
            Try Again
          </button>
        )}
        <button
          type="button"
          class="small"
          aria-label="Remove the Hugging Face token"
          onClick={() => attempt(() => call('setHubToken', {}))}
        >
          Remove
        </button>
      </div>
      <InlineError text={problem} />
    </section>
  );
}

/** Saves a token to the keychain. The token is never shown. */
export function HubTokenForm({ onSaved }: { onSaved: () => Promise<unknown> }) {
  const [token, setToken] = useState('');
  const { problem, attempt } = useAttempt();
  const isDisabled = token.trim() === '';
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
        if (!isDisabled) attempt(save);
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
        <button type="submit" aria-disabled={isDisabled}>
          Save and Try Again
        </button>
      </div>
      <p class="help">It is stored in the keychain of this Mac.</p>
      <InlineError text={problem} />
    </form>
  );
}
