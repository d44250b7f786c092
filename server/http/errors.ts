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
import { QueueClosedError, QueueFullError, QueueTimeoutError } from '../queue/errors.ts';
import type { RequestQueue } from '../queue/request-queue.ts';
import {
  RuntimeDiedError,
  RuntimeDrainedError,
  RuntimeFailedError,
  RuntimeStoppedError,
  RuntimeWaitError,
} from '../runtime/errors.ts';
import type { Deps, State } from './deps.ts';

/** Converts an internal error to the error that the client receives. */
export function toApiError(error: unknown, queue: RequestQueue): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof QueueFullError) {
    return new AtCapacityError('queue_full', retryAfterSeconds(queue.estimatedWaitMs()));
  }
  if (error instanceof QueueTimeoutError) return new DeadlineError(error.timeoutMs);
  if (error instanceof QueueClosedError) {
    return new ModelNotReadyError('Sightglass is shutting down and accepts no more requests.');
  }
  if (error instanceof RequestCancelledError) {
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
      'The model runtime crashed while it was processing the request. If it crashes again, send a ' +
        'smaller image or request fewer tokens. Its last output is in the log.',
      error,
    );
  }
  return new ApiError('internal error', { status: 500, type: 'server_error', cause: error });
}

/** OpenAI's SDKs ignore a longer `Retry-After` and retry within seconds instead. */
const MAX_RETRY_SECONDS = 60;

/** The value of `Retry-After` if a slot may be free in `waitMs`. */
export function retryAfterSeconds(waitMs: number | undefined): number {
  return Math.min(MAX_RETRY_SECONDS, Math.max(1, Math.ceil((waitMs ?? 0) / 1000)));
}

/** Answers with the API's error body for what a route threw. Logs unexpected errors in full. */
export function handleErrors({ log, queue }: Deps): Middleware<State> {
  return async (ctx, next) => {
    try {
      await next();
    } catch (thrown) {
      if (thrown instanceof ClientGoneError) return;
      const error = toApiError(thrown, queue);
      if (error.status === 500) log.error({ id: ctx.state.requestId, err: thrown }, error.message);
      if (!ctx.state.isLogged) {
        const { method, path, state } = ctx;
        const outcome = error.code ?? error.type;
        log.info({ id: state.requestId, method, path, status: error.status, outcome }, 'refused');
      }
      ctx.status = error.status;
      ctx.set(error.headers);
      ctx.body = isAnthropicRequest(ctx)
        ? toAnthropicError(error, ctx.state.requestId)
        : error.toBody();
    }
  };
}

/** Both APIs list models under the same path, but Anthropic's clients send their API's version. */
function isAnthropicRequest(ctx: Context): boolean {
  const isModels = /^(\/v1)?\/models(\/|$)/.test(ctx.path) && ctx.get('anthropic-version') !== '';
  return isModels || /^(\/v1)?\/messages(\/|$)/.test(ctx.path);
}

/** Aborts a request whose client has disconnected. It is never reported as a failure. */
export class ClientGoneError extends Error {
  override name = 'ClientGoneError';

  constructor() {
    super('The client closed the connection.');
  }
}

/** Aborts `controller` when the client disconnects before the response is complete. */
export function abortOnDisconnect(response: ServerResponse, controller: AbortController): void {
  const check = () => {
    if (!response.writableFinished) controller.abort(new ClientGoneError());
  };
  if (response.closed) check();
  else response.once('close', check);
}
