import type Router from '@koa/router';
import type { Middleware } from 'koa';
import { InvalidRequestError } from '../openai/api-error.ts';
import type { State } from './deps.ts';

/** 405 with `Allow` for a path that is served otherwise, else 404. */
export function refuseUnknownRoutes(routers: readonly Router<State>[]): Middleware<State> {
  return (ctx) => {
    const layers = routers.flatMap((router) => router.match(ctx.path, ctx.method).path);
    const methods = [...new Set(layers.flatMap((layer) => layer.methods))];
    if (methods.length === 0) {
      throw new InvalidRequestError(
        `Unknown request URL: ${ctx.method} ${ctx.path}. See GET /v1/models and POST /v1/chat/completions.`,
        { status: 404, code: 'unknown_url' },
      );
    }
    throw new InvalidRequestError(
      `Expected ${methods.join(' or ')} for ${ctx.path}, got ${ctx.method}.`,
      { status: 405, code: 'method_not_allowed', headers: { allow: methods.join(', ') } },
    );
  };
}
