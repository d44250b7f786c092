import { call } from '../bridge.ts';
import { useAttempt } from '../use-attempt.ts';
import { ProblemLine } from './problem-line.tsx';

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
