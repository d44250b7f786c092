import { useState } from 'preact/hooks';
import { CopyButton } from './controls.tsx';

/** Network access and the API key. */
export function NetworkSettings({
  host,
  apiKey,
  isKeyLocked,
  hostProblem,
  keyProblem,
  onHost,
  onKey,
}: {
  host: string;
  apiKey: string;
  /** Whether the keychain refused to decrypt the stored key, and the user has not replaced it. */
  isKeyLocked: boolean;
  hostProblem: string | undefined;
  keyProblem: string | undefined;
  onHost: (host: string) => void;
  onKey: (key: string) => void;
}) {
  const isOpen = host === '0.0.0.0' || host === '::';
  return (
    <>
      <div class="setting setting-switch">
        <label for="network">Allow access from the network</label>
        <div class="setting-field">
          <input
            id="network"
            type="checkbox"
            class="switch"
            {...invalid('host', hostProblem)}
            checked={isOpen}
            onChange={(event) => onHost(event.currentTarget.checked ? '0.0.0.0' : '127.0.0.1')}
          />
        </div>
        <Problem of="host" text={hostProblem} />
        {isOpen && apiKey === '' && !isKeyLocked && (
          <p class="warning" role="status">
            Without an API key, anyone on your network can use the model.
          </p>
        )}
      </div>
      <ApiKeyField apiKey={apiKey} isKeyLocked={isKeyLocked} problem={keyProblem} onKey={onKey} />
    </>
  );
}

function ApiKeyField({
  apiKey,
  isKeyLocked,
  problem,
  onKey,
}: {
  apiKey: string;
  isKeyLocked: boolean;
  problem: string | undefined;
  onKey: (key: string) => void;
}) {
  const [isShown, setShown] = useState(false);
  return (
    <div class="setting setting-key">
      <label for="apiKey">API key</label>
      <div class="setting-field">
        <input
          id="apiKey"
          class="grow"
          {...(isShown ? { type: 'text' as const } : { type: 'password' as const })}
          value={apiKey}
          placeholder={isKeyLocked ? 'locked in the keychain' : 'none'}
          autocomplete="off"
          spellcheck={false}
          {...invalid('apiKey', problem)}
          onInput={(event) => onKey(event.currentTarget.value)}
        />
        {apiKey === '' ? (
          <>
            <button type="button" class="small" onClick={() => onKey(generateKey())}>
              Generate
            </button>
            {isKeyLocked && (
              <button type="button" class="small" onClick={() => onKey('')}>
                Remove
              </button>
            )}
          </>
        ) : (
          <>
            <button
              type="button"
              class="small"
              aria-pressed={isShown}
              onClick={() => setShown(!isShown)}
            >
              {isShown ? 'Hide' : 'Show'}
            </button>
            <CopyButton text={apiKey} what="the API key" />
          </>
        )}
      </div>
      {isKeyLocked && <LockedKeyWarning />}
      <Problem of="apiKey" text={problem} />
    </div>
  );
}

function LockedKeyWarning() {
  return (
    <p class="warning" role="status">
      The API key could not be read from the keychain, so the server does not start. Unlock the
      keychain and start the server again, or enter a new key or remove this one.
    </p>
  );
}

function invalid(name: string, problem: string | undefined) {
  return problem === undefined
    ? {}
    : { 'aria-invalid': true, 'aria-describedby': `${name}-problem` };
}

function Problem({ of, text }: { of: string; text: string | undefined }) {
  if (text === undefined) return null;
  return (
    <p id={`${of}-problem`} class="problem">
      {text}
    </p>
  );
}

function generateKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  return `sk-${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}
