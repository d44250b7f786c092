import type Router from '@koa/router';
import type { Middleware } from 'koa';
import { InvalidRequestError } from '../openai/api-error.ts';
import type { State } from './deps.ts';

type Routers = readonly Router<State>[];

/** `OPTIONS`, other than a browser's preflight: 204 with `Allow`. It tells no secret, so no key. */
export function answerOptions(routers: Routers): Middleware<State> {
  return (ctx, next) => {
    const methods = methodsOf(routers, ctx.path);
    if (ctx.method !== 'OPTIONS' || methods.length === 0) return next();
    ctx.set('allow', methods.join(', '));
    ctx.status = 204;
    return undefined;
  };
}

/** 405 with `Allow` for a path that is served otherwise, else 404. */
export function refuseUnknownRoutes(routers: Routers): Middleware<State> {
  return (ctx) => {
    const methods = methodsOf(routers, ctx.path);
    if (methods.length === 0) {
      throw new InvalidRequestError(
        `Unknown request URL: ${ctx.method} ${ctx.path}. ` +
          'See GET /v1/models and POST /v1/chat/completions.',
        { status: 404, code: 'unknown_url' },
      );
    }
    throw new InvalidRequestError(
      `Expected ${methods.join(' or ')} for ${ctx.path}, got ${ctx.method}.`,
      { status: 405, code: 'method_not_allowed', headers: { allow: methods.join(', ') } },
    );
  };
}

function methodsOf(routers: Routers, path: string): string[] {
  const layers = routers.flatMap((router) => router.match(path, '').path);
  return [...new Set(layers.flatMap(({ methods }) => methods))];
}
