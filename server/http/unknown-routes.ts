import type Router from '@koa/router';
import type { Middleware } from 'koa';
import { InvalidRequestError } from '../errors.ts';
import type { State } from './deps.ts';

/**
 * Corrects the paths of clients that join a base URL and a path by hand: `//v1/models`,
 * `/v1//chat/completions` and `/v1/v1/models`.
 */
export function tidyPaths(): Middleware<State> {
  return (ctx, next) => {
    const path = ctx.path.replace(/\/{2,}/g, '/').replace(/^(\/v1)+(?=\/)/, '/v1');
    if (path !== ctx.path) ctx.path = path;
    return next();
  };
}

/** OpenAI's and Anthropic's other endpoints, by the start of their path, with what they are for. */
const UNSERVED: readonly (readonly [RegExp, string])[] = [
  [/^completions$/, 'text completions'],
  [/^embeddings$/, 'embeddings'],
  [/^moderations$/, 'moderation'],
  [/^images(\/|$)/, 'image generation'],
  [/^videos(\/|$)/, 'video generation'],
  [/^audio(\/|$)/, 'audio'],
  [/^realtime(\/|$)/, 'realtime sessions'],
  [/^responses\/compact$/, 'compaction of conversations'],
  [/^responses\/[^/]+\/cancel$/, 'background responses'],
  [/^chat\/completions\/[^/]+(\/messages)?$/, 'stored chat completions'],
  [/^conversations(\/|$)/, 'stored conversations'],
  [/^(files|uploads|vector_stores)(\/|$)/, 'file storage'],
  [/^(batches|messages\/batches)(\/|$)/, 'batches'],
  [/^(assistants|threads|chatkit)(\/|$)/, 'assistants'],
  [/^(fine_tuning|evals|graders)(\/|$)/, 'fine-tuning or evaluation'],
  [/^(containers|skills|agents|organization)(\/|$)/, 'hosted tools or administration'],
  [/^complete$/, 'text completions'],
  [/^rerank$|^score$/, 'ranking'],
];

/** Refuses endpoints that clients try but this server does not have, and names those it has. */
export function refuseUnserved(): Middleware<State> {
  return (ctx, next) => {
    const path = ctx.path.replace(/^\/((v1|api\/v0)\/)?/, '').replace(/\/$/, '');
    const what = UNSERVED.find(([pattern]) => pattern.test(path))?.[1];
    // `responses/compact` may also be the id of a response.
    if (what === undefined || (path === 'responses/compact' && ctx.method !== 'POST')) {
      return next();
    }
    throw new InvalidRequestError(
      `This server does not offer ${what}. It answers questions about images: ` +
        'POST /v1/chat/completions, /v1/responses and /v1/messages, and GET /v1/models.',
      { status: 404, code: 'endpoint_not_served' },
    );
  };
}

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
