import type { Context, Middleware } from 'koa';
import { toAnthropicError } from '../anthropic/anthropic-error.ts';
import { ClientGoneError } from './client-gone.ts';
import type { Deps, State } from './deps.ts';
import { toApiError } from './to-api-error.ts';

/** Turns what was thrown into the API's error body; unexpected errors are logged in full. */
export function answerErrors({ log, queue }: Deps): Middleware<State> {
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
