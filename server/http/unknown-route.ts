import type Router from '@koa/router';
import type { Middleware } from 'koa';
import { InvalidRequestError } from '../openai/api-error.ts';
import type { State } from './deps.ts';

type Routers = readonly Router<State>[];

/** `OPTIONS`, except a browser's preflight: 204 with `Allow`. It needs no key. */
export function answerOptions(routers: Routers): Middleware<State> {
  return (ctx, next) => {
    const methods = methodsOf(routers, ctx.path);
    if (ctx.method !== 'OPTIONS' || methods.length === 0) return next();
    ctx.set('allow', methods.join(', '));
    ctx.status = 204;
    return undefined;
  };
}

/** 405 with `Allow` for a path that has other methods (426 for a WebSocket), else 404. */
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
    if (/\bwebsocket\b/i.test(ctx.get('upgrade'))) throw createUpgradeError(ctx.path, methods);
    throw new InvalidRequestError(
      `Expected ${methods.join(' or ')} for ${ctx.path}, got ${ctx.method}.`,
      { status: 405, code: 'method_not_allowed', headers: { allow: methods.join(', ') } },
    );
  };
}

/** Codex tries a WebSocket first, and only this status has it use HTTP at once. */
function createUpgradeError(path: string, methods: readonly string[]): InvalidRequestError {
  return new InvalidRequestError(
    `This server has no WebSockets. Send ${methods.join(' or ')} ${path} over HTTP.`,
    {
      status: 426,
      code: 'websocket_not_supported',
      // RFC 9110, 15.5.22 wants the protocol that is served.
      headers: { allow: methods.join(', '), upgrade: 'HTTP/1.1', connection: 'upgrade, close' },
    },
  );
}

function methodsOf(routers: Routers, path: string): string[] {
  const layers = routers.flatMap((router) => router.match(path, '').path);
  return [...new Set(layers.flatMap(({ methods }) => methods))];
}
