import { ProblemError } from '../problem.ts';

/** The runtime is not available until the user does something about it. */
export class RuntimeFailedError extends ProblemError {
  override name = 'RuntimeFailedError';
}

/** The runtime is stopping or has been stopped. */
export class RuntimeStoppedError extends Error {
  override name = 'RuntimeStoppedError';

  constructor() {
    super('The model runtime has been stopped.');
  }
}

/** The runtime did not become ready within `waitedMs`, the maximum for the request. */
export class RuntimeWaitError extends Error {
  override name = 'RuntimeWaitError';

  constructor(waitedMs: number) {
    super(
      `The model was not ready within ${waitedMs / 1000} s. See /health for its state, or raise ` +
        '--queue-timeout to wait longer.',
    );
  }
}

/** The runtime was stopped to change, unload or restart the model before the work was complete. */
export class RuntimeDrainedError extends Error {
  override name = 'RuntimeDrainedError';

  constructor(drainTimeoutMs: number) {
    super(
      `The answer was still incomplete ${drainTimeoutMs / 1000} s after the model was changed, ` +
        'unloaded or restarted. Try again, or raise --drain-timeout to give answers more time.',
    );
  }
}

/** The runtime process exited while it was handling the request. */
export class RuntimeDiedError extends Error {
  override name = 'RuntimeDiedError';
}

/** The runtime answered the request with an HTTP error. */
export class RuntimeRefusedError extends Error {
  override name = 'RuntimeRefusedError';
  readonly status: number;
  /** The launcher's code for the reason; mlx_vlm has none. */
  readonly code: string | undefined;

  constructor(status: number, message: string, code?: string) {
    super(withoutPayloads(message));
    this.status = status;
    this.code = code;
  }
}

/**
 * Generation failed mid-stream. When one request of a batch fails, mlx_vlm ends all of them
 * (`_run_impl` in `generation.py`); `shared` says whether others were running.
 */
export class GenerationFailedError extends Error {
  override name = 'GenerationFailedError';
  readonly shared: boolean;

  constructor(message: string, shared: boolean) {
    super(withoutPayloads(message));
    this.shared = shared;
  }
}

/** Whether the failure may have been caused by another request, so that a retry can succeed. */
export function isRetryable(error: Error): boolean {
  return (
    error instanceof RuntimeDiedError || (error instanceof GenerationFailedError && error.shared)
  );
}

/** mlx_vlm repeats whole data URLs in its errors; ours must not contain images. */
function withoutPayloads(message: string): string {
  return message.replace(/data:[\w/+.-]*;base64,[\w+/=%-]*/g, 'data:…');
}
