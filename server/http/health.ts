import type { Middleware } from 'koa';
import type { Deps, State } from './deps.ts';
import { modelIdOf } from './model-id.ts';

/** `GET /health`: 200 when a request would be answered now, else 503 with the state and a reason. */
export function createHealth({ runtime, settings }: Deps): Middleware<State> {
  return (ctx) => {
    const { state } = runtime;
    ctx.status = state.phase === 'ready' ? 200 : 503;
    ctx.body = {
      status: state.phase === 'ready' ? 'ok' : 'unavailable',
      state: state.phase,
      model: modelIdOf(settings.modelPath),
      ...(state.phase === 'crashed' ? { reason: state.reason } : {}),
      ...(state.phase === 'failed' ? { reason: state.failure.reason } : {}),
    };
  };
}
