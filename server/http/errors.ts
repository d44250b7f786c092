import type { ServerResponse } from 'node:http';
import type { Context, Middleware } from 'koa';
import { RequestCancelledError } from '../activity.ts';
import { toAnthropicError } from '../apis/messages/answer.ts';
import {
  ApiError,
  AtCapacityError,
  DeadlineError,
  ModelNotReadyError,
  RuntimeCrashedError,
} from '../errors.ts';
import {
  JobCancelledError,
  QueueClosedError,
  QueueFullError,
  QueueTimeoutError,
} from '../queue/errors.ts';
import type { RequestQueue } from '../queue/request-queue.ts';
import {
  RuntimeDiedError,
  RuntimeDrainedError,
  RuntimeFailedError,
  RuntimeStoppedError,
  RuntimeWaitError,
} from '../runtime/errors.ts';
import type { Deps, State } from './deps.ts';

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

/** Turns what was thrown into the API's error body; unexpected errors are logged in full. */
export function handleErrors({ log, queue }: Deps): Middleware<State> {
  return async (ctx, next) => {
    try {
      await next();
    } catch (thrown) {
      if (thrown instanceof ClientGoneError) return; // nobody left to answer
      const error = toApiError(thrown, queue);
      if (error.status === 500) log.error({ id: ctx.state.requestId, err: thrown }, error.message);
      if (!ctx.state.isLogged) {
        const { method, path, state } = ctx;
        const outcome = error.code ?? error.type;
        log.info({ id: state.requestId, method, path, status: error.status, outcome }, 'refused');
      }
      ctx.status = error.status;
      ctx.set(error.headers);
      ctx.body = isAnthropics(ctx) ? toAnthropicError(error, ctx.state.requestId) : error.toBody();
    }
  };
}

/** Both APIs list models under the same path; Anthropic's clients always name their API's version. */
function isAnthropics(ctx: Context): boolean {
  const isModels = /^(\/v1)?\/models(\/|$)/.test(ctx.path) && ctx.get('anthropic-version') !== '';
  return isModels || /^(\/v1)?\/messages(\/|$)/.test(ctx.path);
}

/** Why a request ends whose client has closed its connection. A dead client is not an error. */
export class ClientGoneError extends Error {
  override name = 'ClientGoneError';

  constructor() {
    super('The client closed the connection.');
  }
}

/** Aborts `controller` when the client goes away before it has been answered. */
export function abortOnDisconnect(response: ServerResponse, controller: AbortController): void {
  const check = () => {
    if (!response.writableFinished) controller.abort(new ClientGoneError());
  };
  if (response.closed) check();
  else response.once('close', check);
}
