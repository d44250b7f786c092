import type { RuntimeConnection } from './runtime-connection.ts';
import { GenerationFailedError, RuntimeDiedError } from './runtime-errors.ts';
import type { RuntimeSupervisor } from './runtime-supervisor.ts';

export interface WithRuntimeOptions {
  signal: AbortSignal;
  /** Whether the client has seen nothing yet, so that the work can be done again. */
  mayRetry: () => boolean;
}

/**
 * Does `work` with a ready runtime; once more, on the next one, if the first died under it, or if
 * it ran in a batch that some request spoiled, and the client has seen nothing yet. Never a third
 * time: a request that brings the runtime down must not keep it in a crash loop.
 */
export async function withRuntime<T>(
  supervisor: RuntimeSupervisor,
  work: (connection: RuntimeConnection) => Promise<T>,
  { signal, mayRetry }: WithRuntimeOptions,
): Promise<T> {
  const connection = await supervisor.ensureReady(signal);
  try {
    return await work(connection);
  } catch (error) {
    if (!isWorthARetry(error) || !mayRetry()) throw error;
    if (error instanceof RuntimeDiedError) await connection.settled();
    signal.throwIfAborted();
    return work(await supervisor.ensureReady(signal));
  }
}

function isWorthARetry(error: unknown): boolean {
  return (
    error instanceof RuntimeDiedError || (error instanceof GenerationFailedError && error.shared)
  );
}
