import { call } from '../bridge.ts';
import { useAttempt } from '../use-attempt.ts';
import { ProblemLine } from './problem-line.tsx';

/** That there is a token for Hugging Face, and the way to be rid of it. */
export function HubToken({ isKept }: { isKept: boolean }) {
  const { problem, attempt } = useAttempt();
  if (!isKept) return null;
  return (
    <section aria-label="Hugging Face token">
      <div class="row">
        <p class="help grow">A Hugging Face token is in the keychain.</p>
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
