import type { RuntimeState } from './runtime-state.ts';

/** How loud a change in the runtime's life is. */
export function levelOf({ phase }: RuntimeState): 'info' | 'warn' | 'error' {
  if (phase === 'failed') return 'error';
  return phase === 'crashed' ? 'warn' : 'info';
}

/** What a person wants to read of a change in the runtime's life. */
export function toLogFields(state: RuntimeState): object {
  switch (state.phase) {
    case 'loading':
      return { model: state.model, runtimePid: state.pid };
    case 'ready':
      return { loadSeconds: state.model.load_seconds, memoryBytes: state.memoryBytes };
    case 'crashed':
      return { reason: state.reason, retryInMs: state.retryInMs };
    case 'failed':
      return state.failure;
    default:
      return {};
  }
}
