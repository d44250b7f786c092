import cors from '@koa/cors';
import type { Middleware } from 'koa';
import type { State } from './deps.ts';

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
