import type { Middleware } from 'koa';
import type { Deps, State } from './deps.ts';

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
