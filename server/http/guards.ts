import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import cors from '@koa/cors';
import type Router from '@koa/router';
import type { Middleware } from 'koa';
import { InvalidApiKeyError, InvalidRequestError } from '../errors.ts';
import type { Settings } from '../settings.ts';
import type { HttpContext, State } from './deps.ts';

// The middleware that every request passes, in the order in which `app.ts` uses it.

/** A client's request id is used only if it is short and safe in a log line and a header. */
const REQUEST_ID = /^[\w.:-]{1,128}$/;

/** Gives each request an id (the client's `x-request-id` if valid) and returns it in a header. */
export function assignRequestId(): Middleware<State> {
  return (ctx, next) => {
    const id = ctx.get('x-request-id');
    if (REQUEST_ID.test(id)) setRequestId(ctx, id);
    else assignFreshId(ctx);
    return next();
  };
}

/** Replaces an id that another request in flight is using. */
export function assignFreshId(ctx: HttpContext): void {
  setRequestId(ctx, `req-${randomUUID()}`);
}

function setRequestId(ctx: HttpContext, id: string): void {
  ctx.state.requestId = id;
  ctx.set('x-request-id', id);
  ctx.set('request-id', id); // Anthropic's name for it
}

const EXPOSED_HEADERS = [
  'x-request-id',
  'request-id',
  'retry-after',
  'x-sightglass-ignored',
  'x-sightglass-images',
];
const ONE_DAY_SECONDS = 24 * 3600;

/**
 * Lets web pages of the listed origins call the server (none by default, `*` for all). Credentials
 * are never allowed: the server sets no cookies, and a page sends its API key itself.
 */
export function allowOrigins(origins: readonly string[]): Middleware<State> {
  if (origins.length === 0) return (_ctx, next) => next();
  return cors({
    origin: ({ headers: { origin = '' } }) =>
      origins.includes('*') || origins.includes(origin) ? origin : '',
    allowMethods: ['GET', 'HEAD', 'POST', 'DELETE'],
    exposeHeaders: EXPOSED_HEADERS,
    maxAge: ONE_DAY_SECONDS,
    privateNetworkAccess: true,
    keepHeadersOnError: false, // `handleErrors` runs inside this middleware
  });
}

/**
 * Normalizes paths from clients that join a base URL and a path incorrectly, such as `//v1/models`,
 * `/v1//chat/completions` and `/v1/v1/models`.
 */
export function normalizePath(): Middleware<State> {
  return (ctx, next) => {
    const path = ctx.path.replace(/\/{2,}/g, '/').replace(/^(\/v1)+(?=\/)/, '/v1');
    if (path !== ctx.path) ctx.path = path;
    return next();
  };
}

/** Domains that cannot be registered, so no web page can be served from them. */
const LOCAL_DOMAINS = ['.localhost', '.local', '.internal', '.home.arpa'];

/** Whether only this machine can reach the address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

/**
 * Prevents DNS rebinding, where an attacker's domain resolves to this machine so that its pages can
 * reach the server. Without an API key, the Host header must be in `allowedHosts` or be a name that
 * no web page can have. With a key, such a page could not authenticate, so every name is allowed.
 */
export function refuseForeignHosts(
  { apiKey, host, allowedHosts }: Pick<Settings, 'apiKey' | 'host' | 'allowedHosts'>,
  warn: (message: string) => void,
): Middleware<State> {
  if (apiKey !== undefined) return (_ctx, next) => next();
  if (allowedHosts.includes('*')) {
    warn(
      'Any host name is allowed and no API key is set, so web pages can reach the model (DNS ' +
        'rebinding). Set a key, or list the host names with --allowed-hosts.',
    );
    return (_ctx, next) => next();
  }
  const ownNames = new Set([host, hostname()].map(normalizeHost));
  const allowed = allowedHosts.map(normalizeHost);
  return (ctx, next) => {
    const header = ctx.get('host');
    const name = normalizeHost(/^(\[[\da-f:.%]+\]|[\w.-]+)(:\d*)?$/i.exec(header)?.[1] ?? '?');
    const isAllowed =
      header === '' || isLocalName(name) || ownNames.has(name) || allowed.some(matches(name));
    if (isAllowed) return next();
    throw new InvalidRequestError(
      `The host name ${JSON.stringify(header.slice(0, 100))} is not allowed without an API key. Use ` +
        'an IP address or localhost, or allow the name with --allowed-hosts (in the app: Allowed ' +
        'host names).',
      { status: 403, code: 'host_not_allowed' },
    );
  };
}

function isLocalName(name: string): boolean {
  if (isIP(name) !== 0) return true;
  if (name === '?') return false; // an invalid Host header
  return !name.includes('.') || LOCAL_DOMAINS.some((domain) => name.endsWith(domain));
}

/** `*.example.com` matches every name in that domain, but not the domain itself. */
function matches(name: string): (pattern: string) => boolean {
  return (pattern) =>
    pattern.startsWith('*.') ? name.endsWith(pattern.slice(1)) : name === pattern;
}

function normalizeHost(name: string): string {
  return name
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase();
}

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Content types that a page may send without a preflight (Fetch, "CORS-safelisted"); '' is none. */
const SIMPLE_TYPES = new Set([
  '',
  'text/plain',
  'multipart/form-data',
  'application/x-www-form-urlencoded',
]);

/** The media types in a Content-Type header, in lower case and without parameters. */
export function mediaTypesOf(contentType: string): string[] {
  return contentType.split(',').map((type) => (type.split(';')[0] ?? '').trim().toLowerCase());
}

/**
 * Refuses state-changing requests that a page on another site can send without a CORS preflight,
 * such as a form post, unless its origin is listed. Browsers send a preflight for all others, which
 * `allowOrigins` answers.
 */
export function refuseCrossSiteWrites(origins: readonly string[]): Middleware<State> {
  return (ctx, next) => {
    if (SAFE_METHODS.has(ctx.method)) return next();
    const origin = ctx.get('origin');
    const isListed = origins.includes('*') || (origin !== '' && origins.includes(origin));
    const isSimple = mediaTypesOf(ctx.get('content-type')).some((type) => SIMPLE_TYPES.has(type));
    if (!isSimple || isListed || !isCrossSite(origin, ctx.host, ctx.get('sec-fetch-site'))) {
      return next();
    }
    throw new InvalidRequestError(
      'A web page on another site sent this request. To allow it, add its origin to --cors-origins ' +
        '(in the app: Web pages that may call) and send the body as application/json.',
      { status: 403, code: 'cross_site_refused' },
    );
  };
}

function isCrossSite(origin: string, host: string, fetchSite: string): boolean {
  if (fetchSite.toLowerCase() === 'cross-site') return true;
  if (origin === '') return false;
  if (!URL.canParse(origin) || !URL.canParse(`http://${host}`)) return true; // such as `null`
  return new URL(origin).hostname !== new URL(`http://${host}`).hostname;
}

type Routers = readonly Router<State>[];

/** Answers `OPTIONS` with 204 and `Allow`, without a key. `allowOrigins` answers preflights. */
export function handleOptions(routers: Routers): Middleware<State> {
  return (ctx, next) => {
    const methods = methodsOf(routers, ctx.path);
    if (ctx.method !== 'OPTIONS' || methods.length === 0) return next();
    ctx.set('allow', methods.join(', '));
    ctx.status = 204;
    return undefined;
  };
}

/**
 * The API keys in a request, as sent by OpenAI's clients (Bearer), Anthropic's (x-api-key) and
 * Azure's (api-key). Some clients send a placeholder in one header and the key in another.
 */
export function apiKeysOf(headers: IncomingHttpHeaders): string[] {
  const bearer = /^Bearer\s+(\S+)\s*$/i.exec(headers.authorization ?? '')?.[1];
  return [bearer, headers['x-api-key'], headers['api-key']]
    .map((key) => String(key ?? '').trim())
    .filter((key) => key !== '');
}

/** Refuses requests without the API key, if one is set. Compares keys in constant time. */
export function requireApiKey(apiKey: string | undefined): Middleware<State> {
  if (apiKey === undefined) return (_ctx, next) => next();
  const expected = digest(apiKey);
  return (ctx, next) => {
    const keys = apiKeysOf(ctx.headers);
    if (keys.some((key) => timingSafeEqual(digest(key), expected))) return next();
    throw new InvalidApiKeyError(
      keys.length === 0
        ? 'You didn’t provide an API key. Send it as "Authorization: Bearer KEY", "x-api-key: KEY" ' +
            'or "api-key: KEY".'
        : 'Incorrect API key provided. Send the key that Sightglass was started with.',
    );
  };
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

/** OpenAI's and Anthropic's other endpoints, and what they are for. */
const UNSUPPORTED: readonly (readonly [RegExp, string])[] = [
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

/** Refuses known endpoints that this server does not have, and lists those it has. */
export function refuseUnsupportedEndpoints(): Middleware<State> {
  return (ctx, next) => {
    const path = ctx.path.replace(/^\/((v1|api\/v0)\/)?/, '').replace(/\/$/, '');
    const what = UNSUPPORTED.find(([pattern]) => pattern.test(path))?.[1];
    // For GET and DELETE, `compact` may be the id of a stored response.
    if (what === undefined || (path === 'responses/compact' && ctx.method !== 'POST')) {
      return next();
    }
    throw new InvalidRequestError(
      `This server does not support ${what}. It answers questions about images: use ` +
        'POST /v1/chat/completions, /v1/responses or /v1/messages, or GET /v1/models.',
      { status: 404, code: 'endpoint_not_served' },
    );
  };
}

/** Answers 405 with `Allow` if the path has other methods (426 for a WebSocket), otherwise 404. */
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
      `${ctx.method} is not allowed for ${ctx.path}. Use ${methods.join(' or ')}.`,
      { status: 405, code: 'method_not_allowed', headers: { allow: methods.join(', ') } },
    );
  };
}

/** Codex tries a WebSocket first. Only with this status does it fall back to HTTP at once. */
function createUpgradeError(path: string, methods: readonly string[]): InvalidRequestError {
  return new InvalidRequestError(
    `This server does not support WebSockets. Send ${methods.join(' or ')} ${path} over HTTP.`,
    {
      status: 426,
      code: 'websocket_not_supported',
      // RFC 9110, 15.5.22 requires the supported protocol in `Upgrade`.
      headers: { allow: methods.join(', '), upgrade: 'HTTP/1.1', connection: 'upgrade, close' },
    },
  );
}

function methodsOf(routers: Routers, path: string): string[] {
  const layers = routers.flatMap((router) => router.match(path, '').path);
  return [...new Set(layers.flatMap(({ methods }) => methods))];
}
