import type { Middleware } from 'koa';
import type { Deps, State } from './deps.ts';
import { modelIdOf } from './models.ts';

/**
 * `GET /health`, also as `/healthz` and `/readyz`: 200 when a request would be answered, else 503
 * with the state and a reason. The next request starts a runtime that was unloaded.
 */
export function createHealth({ runtime, settings }: Deps): Middleware<State> {
  return (ctx) => {
    const { state } = runtime;
    const isUsable = state.phase === 'ready' || state.phase === 'unloaded';
    ctx.status = isUsable ? 200 : 503;
    ctx.body = {
      status: isUsable ? 'ok' : 'unavailable',
      state: state.phase,
      model: modelIdOf(settings.modelPath),
      ...(state.phase === 'crashed' ? { reason: state.reason } : {}),
      ...(state.phase === 'failed' ? { reason: state.failure.reason } : {}),
    };
  };
}

/** `GET /livez`: 200 while the process runs, whatever the model's state. */
export function createLiveness(): Middleware<State> {
  return (ctx) => {
    ctx.body = { status: 'ok' };
  };
}

/** `GET /v1/queue/stats`, exactly the seed's shape. `active_requests` counts waiting and running. */
export function createQueueStats({ queue }: Deps): Middleware<State> {
  return (ctx) => {
    const { running, queueSize, maxQueueSize, activeRequests, maxConcurrency } = queue.stats;
    ctx.body = {
      status: 'ok',
      queue_stats: {
        vision_queue: {
          running,
          queue_size: queueSize,
          max_queue_size: maxQueueSize,
          active_requests: activeRequests,
          max_concurrency: maxConcurrency,
        },
      },
    };
  };
}

/** `GET /metrics`, for Prometheus. */
export function createMetricsRoute({ metrics }: Deps): Middleware<State> {
  return async (ctx) => {
    ctx.type = metrics.contentType;
    ctx.body = await metrics.render();
  };
}
