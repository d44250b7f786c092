import type { Middleware } from 'koa';
import type { Deps, State } from './deps.ts';

/** `GET /metrics`, for Prometheus. */
export function createMetricsRoute({ metrics }: Deps): Middleware<State> {
  return async (ctx) => {
    ctx.type = metrics.contentType;
    ctx.body = await metrics.render();
  };
}
