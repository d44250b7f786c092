import type { RuntimeView, Trouble } from '../server/contract.ts';
import type { RuntimePhase } from '../server/runtime/runtime-state.ts';

/** The state of the runtime, as the panel shows it. */
export function toRuntimeView(state: RuntimePhase): RuntimeView {
  switch (state.phase) {
    case 'ready':
      return {
        phase: 'ready',
        loadSeconds: state.model.load_seconds,
        memoryBytes: state.memoryBytes,
      };
    case 'draining':
      return { phase: 'stopping' };
    case 'crashed':
      return { phase: 'crashed', trouble: toTrouble(state) };
    case 'failed':
      return { phase: 'failed', trouble: toTrouble(state) };
    default:
      return { phase: state.phase };
  }
}

export type Ailment = Extract<RuntimePhase, { phase: 'crashed' | 'failed' }>;

/** A runtime that has crashed or failed, in words. */
export function toTrouble(state: Ailment): Trouble {
  const at = Date.now();
  if (state.phase === 'failed') {
    const { message, remedy } = state.failure;
    return { at, message, remedy };
  }
  return {
    at,
    message: `The model’s process ended unexpectedly (${state.reason}).`,
    remedy: 'It is being started again; what waited is answered then.',
  };
}

/** What is left to say of it once the runtime is ready again: a crash that nobody saw, no failure. */
export function toRecovery(state: Ailment): Trouble | undefined {
  if (state.phase === 'failed') return undefined;
  return { ...toTrouble(state), remedy: 'It was started again, and what waited was answered.' };
}
