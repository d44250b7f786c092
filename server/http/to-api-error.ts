import { RequestCancelledError } from '../activity.ts';
import {
  ApiError,
  AtCapacityError,
  DeadlineError,
  ModelNotReadyError,
  RuntimeCrashedError,
} from '../openai/api-error.ts';
import {
  JobCancelledError,
  QueueClosedError,
  QueueFullError,
  QueueTimeoutError,
} from '../queue/queue-errors.ts';
import type { RequestQueue } from '../queue/request-queue.ts';
import {
  RuntimeDiedError,
  RuntimeDrainedError,
  RuntimeFailedError,
  RuntimeStoppedError,
  RuntimeWaitError,
} from '../runtime/runtime-errors.ts';

/** The design's error table: what a client is told of what went wrong inside. */
export function toApiError(error: unknown, queue: RequestQueue): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof QueueFullError) {
    return new AtCapacityError('queue_full', retryAfterSeconds(queue.estimatedWaitMs()));
  }
  if (error instanceof QueueTimeoutError) return new DeadlineError(error.timeoutMs);
  if (error instanceof QueueClosedError) {
    return new ModelNotReadyError('Sightglass is shutting down and takes no more requests.');
  }
  if (error instanceof JobCancelledError || error instanceof RequestCancelledError) {
    return new ApiError(error.message, {
      status: 503,
      type: 'server_error',
      code: 'request_cancelled',
      headers: { 'x-should-retry': 'false' },
    });
  }
  if (
    error instanceof RuntimeFailedError ||
    error instanceof RuntimeStoppedError ||
    error instanceof RuntimeWaitError
  ) {
    return new ModelNotReadyError(error.message, error);
  }
  if (error instanceof RuntimeDrainedError) {
    return new ApiError(error.message, {
      status: 503,
      type: 'server_error',
      code: 'model_changed',
      cause: error,
    });
  }
  if (error instanceof RuntimeDiedError) {
    return new RuntimeCrashedError(
      'The model runtime ended while it worked on the request. If it does so again, send a smaller ' +
        'image or ask for fewer tokens; the log has what the runtime said last.',
      error,
    );
  }
  return new ApiError('internal error', { status: 500, type: 'server_error', cause: error });
}

/** OpenAI's SDKs ignore a longer `Retry-After`, and come back within seconds instead. */
const MAX_RETRY_SECONDS = 60;

/** When to come back, in whole seconds, if there may be room in `waitMs`. */
export function retryAfterSeconds(waitMs: number | undefined): number {
  return Math.min(MAX_RETRY_SECONDS, Math.max(1, Math.ceil((waitMs ?? 0) / 1000)));
}
