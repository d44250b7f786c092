import type { Middleware } from 'koa';
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
