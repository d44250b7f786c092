import { useState } from 'preact/hooks';
import { call } from '../bridge.ts';
import { useAttempt } from '../hooks.ts';
import { ProblemLine } from './controls.tsx';

/** Downloads any model of the Hugging Face Hub, by its id. */
export function HubIdForm({ onDownload }: { onDownload: (id: string) => Promise<unknown> }) {
  const [id, setId] = useState('');
  const [said, setSaid] = useState('');
  const { problem, attempt } = useAttempt();
  const wanted = id.trim();
  const download = async () => {
    setSaid('');
    await onDownload(wanted);
    setId('');
    setSaid(`${wanted} is on its way: see Downloads above.`);
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
      <ProblemLine text={problem} />
    </form>
  );
}

/** Says that a Hugging Face token is stored, or cannot be read, and removes it. */
export function HubToken({ isKept, isLocked }: { isKept: boolean; isLocked: boolean }) {
  const { problem, attempt } = useAttempt();
  if (!isKept && !isLocked) return null;
  return (
    <section aria-label="Hugging Face token">
      <div class="row">
        <p class="help grow">
          {isLocked
            ? 'The Hugging Face token could not be read from the keychain. Unlock the keychain and try again, or remove the token.'
            : 'A Hugging Face token is in the keychain.'}
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
      <ProblemLine text={problem} />
    </section>
  );
}

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
