import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import cors from '@koa/cors';
import type { Middleware } from 'koa';
import { InvalidApiKeyError, InvalidRequestError } from '../errors.ts';
import type { Settings } from '../settings.ts';
import type { HttpContext, State } from './deps.ts';

/** What is taken from a client as an id: short, and harmless in a log line or a header. */
const SANE_ID = /^[\w.:-]{1,128}$/;

/** Gives every request an id, the client's `x-request-id` if it is sane; every response carries it. */
export function assignRequestId(): Middleware<State> {
  return (ctx, next) => {
    const given = ctx.get('x-request-id');
    if (SANE_ID.test(given)) assign(ctx, given);
    else assignFreshId(ctx);
    return next();
  };
}

/** For when a request in flight has the client's id already: ids are unique. */
export function assignFreshId(ctx: HttpContext): void {
  assign(ctx, `req-${randomUUID()}`);
}

function assign(ctx: HttpContext, id: string): void {
  ctx.state.requestId = id;
  ctx.set('x-request-id', id);
  ctx.set('request-id', id); // the name that Anthropic's clients read
}

/** Domains that nobody can register, so no web page can be served from them. */
const LOCAL_DOMAINS = ['.localhost', '.local', '.internal', '.home.arpa'];

/** Whether only this machine can reach the address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

/**
 * Prevents DNS rebinding, where an attacker's domain resolves to this machine so that its pages can
 * reach the server. Without an API key, only names that no web page can have and those in
 * `allowedHosts` are served. With a key there is no such risk: the page does not have the key.
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
  const ownNames = new Set([host, hostname()].map(normalize));
  const allowed = allowedHosts.map(normalize);
  return (ctx, next) => {
    const given = ctx.get('host');
    const name = normalize(/^(\[[\da-f:.%]+\]|[\w.-]+)(:\d*)?$/i.exec(given)?.[1] ?? '?');
    const isOurs =
      given === '' || isLocalName(name) || ownNames.has(name) || allowed.some(matches(name));
    if (isOurs) return next();
    throw new InvalidRequestError(
      `The host name ${JSON.stringify(given.slice(0, 100))} is not allowed without an API key. Use ` +
        'an address or localhost, or allow the name with --allowed-hosts (in the app: Allowed host ' +
        'names).',
      { status: 403, code: 'host_not_allowed' },
    );
  };
}

function isLocalName(name: string): boolean {
  if (isIP(name) !== 0) return true;
  if (name === '?') return false; // no host name at all
  return !name.includes('.') || LOCAL_DOMAINS.some((domain) => name.endsWith(domain));
}

/** `*.example.com` stands for every name in that domain, not for the domain itself. */
function matches(name: string): (pattern: string) => boolean {
  return (pattern) =>
    pattern.startsWith('*.') ? name.endsWith(pattern.slice(1)) : name === pattern;
}

function normalize(name: string): string {
  return name
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase();
}

/** Methods that change nothing. */
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Types that a page may send to any site without a preflight (Fetch, "CORS-safelisted"); '' is none. */
const SIMPLE_TYPES = new Set([
  '',
  'text/plain',
  'multipart/form-data',
  'application/x-www-form-urlencoded',
]);

/** The media types in a Content-Type header, lower-case and without parameters. */
export function mediaTypesOf(contentType: string): string[] {
  return contentType.split(',').map((type) => (type.split(';')[0] ?? '').trim().toLowerCase());
}

/**
 * Refuses state-changing requests that a page of another site could send without a CORS preflight,
 * such as a form post, unless its origin is listed. Everything else is preflighted by the browser,
 * and `allowOrigins` answers.
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
  if (!URL.canParse(origin) || !URL.canParse(`http://${host}`)) return true; // `null`, for one
  return new URL(origin).hostname !== new URL(`http://${host}`).hostname;
}

const EXPOSED = [
  'x-request-id',
  'request-id',
  'retry-after',
  'x-sightglass-ignored',
  'x-sightglass-images',
];
const A_DAY = 24 * 3600;

/**
 * Lets web pages of the listed origins call the server (none by default, `*` for all). Never with
 * cookies: there are none, and a page that may call brings its own key.
 */
export function allowOrigins(origins: readonly string[]): Middleware<State> {
  if (origins.length === 0) return (_ctx, next) => next();
  return cors({
    origin: ({ headers: { origin = '' } }) =>
      origins.includes('*') || origins.includes(origin) ? origin : '',
    allowMethods: ['GET', 'HEAD', 'POST', 'DELETE'],
    exposeHeaders: EXPOSED,
    maxAge: A_DAY,
    privateNetworkAccess: true,
    keepHeadersOnError: false, // errors are answered further in
  });
}

/**
 * The keys in a request: those of OpenAI's clients (Bearer), Anthropic's (x-api-key) and Azure's
 * (api-key). Some clients send a placeholder in one header and the key in another.
 */
export function apiKeysOf(headers: IncomingHttpHeaders): string[] {
  const bearer = /^Bearer\s+(\S+)\s*$/i.exec(headers.authorization ?? '')?.[1];
  return [bearer, headers['x-api-key'], headers['api-key']]
    .map((key) => String(key ?? '').trim())
    .filter((key) => key !== '');
}

/** Refuses requests without the API key, if one is set. Compares in constant time. */
export function requireApiKey(apiKey: string | undefined): Middleware<State> {
  if (apiKey === undefined) return (_ctx, next) => next();
  const expected = digest(apiKey);
  return (ctx, next) => {
    const given = apiKeysOf(ctx.headers);
    if (given.some((key) => timingSafeEqual(digest(key), expected))) return next();
    throw new InvalidApiKeyError(
      given.length === 0
        ? 'You didn’t provide an API key. Send it as "Authorization: Bearer KEY", "x-api-key: KEY" ' +
            'or "api-key: KEY".'
        : 'Incorrect API key provided. Send the one that Sightglass was started with.',
    );
  };
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
