import type { Middleware } from 'koa';
import type { Deps, State } from './deps.ts';
import { modelIdOf } from './models.ts';

/**
 * `GET /health`, `/healthz` and `/readyz`: 200 if requests can be answered, otherwise 503 with the
 * state and a reason. An unloaded model counts as ready, because the next request loads it.
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

/** `GET /livez`: 200 while the process is running, regardless of the model. */
export function createLiveness(): Middleware<State> {
  return (ctx) => {
    ctx.body = { status: 'ok' };
  };
}

/** `GET /v1/queue/stats`, in the original server's format. `active_requests` includes waiting ones. */
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
