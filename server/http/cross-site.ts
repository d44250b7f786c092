import type { Middleware } from 'koa';
import { InvalidRequestError } from '../openai/api-error.ts';
import type { State } from './deps.ts';

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
