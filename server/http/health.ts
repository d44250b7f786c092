import type { Middleware } from 'koa';
import type { Deps, State } from './deps.ts';
import { modelIdOf } from './model-id.ts';

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
