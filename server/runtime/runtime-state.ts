import type { FatalLine, ReadyLine } from './launcher-line.ts';

/** What a person is told of a runtime that has failed for good. */
export type Failure = Omit<FatalLine, 'event'>;

/** The life of the runtime. "Busy" is not in it: that is the queue's count. */
export type RuntimeState =
  | { readonly phase: 'stopped' }
  | { readonly phase: 'starting' }
  | { readonly phase: 'loading'; readonly model: string; readonly pid: number }
  | {
      readonly phase: 'ready';
      readonly model: ReadyLine;
      readonly pid: number;
      /** In use now; `model` says what was when it had been loaded. */
      readonly memoryBytes: number;
    }
  | { readonly phase: 'stopping' }
  /** On its way to `unloaded`: stopped for want of work, or for another model. */
  | { readonly phase: 'unloading' }
  | { readonly phase: 'unloaded' }
  | { readonly phase: 'crashed'; readonly reason: string; readonly retryInMs: number }
  | { readonly phase: 'failed'; readonly failure: Failure };

/**
 * What can happen to the runtime. `crashes` counts those within {@link CRASH_WINDOW_MS},
 * `loadingCrashes` those since it was last ready.
 */
export type RuntimeEvent =
  | { readonly type: 'start' }
  | { readonly type: 'loading'; readonly model: string; readonly pid: number }
  | { readonly type: 'ready'; readonly model: ReadyLine }
  | { readonly type: 'memory'; readonly memoryBytes: number }
  | { readonly type: 'fatal'; readonly failure: Failure }
  | { readonly type: 'stop' }
  | { readonly type: 'unload' }
  | {
      readonly type: 'exit';
      readonly reason: string;
      readonly crashes: number;
      readonly loadingCrashes: number;
    };

/** More than this many crashes within the window, and a restart would not help. */
export const MAX_CRASHES = 5;
export const CRASH_WINDOW_MS = 5 * 60_000;
/** A model that kills the runtime while it loads, twice in a row, will do so again. */
const MAX_LOADING_CRASHES = 2;
/** The first restart is at once; this is the wait before the second. */
const FIRST_BACKOFF_MS = 1000;

/** The next state. An event that means nothing in a phase leaves the state as it is. */
export function next(state: RuntimeState, event: RuntimeEvent): RuntimeState {
  switch (event.type) {
    case 'start':
      return isUp(state) || isEnding(state) ? state : { phase: 'starting' };
    case 'loading':
      return state.phase === 'starting'
        ? { phase: 'loading', model: event.model, pid: event.pid }
        : state;
    case 'ready': {
      const { model } = event;
      return state.phase === 'loading'
        ? { phase: 'ready', model, pid: state.pid, memoryBytes: model.memory_bytes }
        : state;
    }
    case 'memory':
      return state.phase === 'ready' ? { ...state, memoryBytes: event.memoryBytes } : state;
    case 'fatal':
      return isUp(state) ? { phase: 'failed', failure: event.failure } : state;
    case 'stop':
      if (state.phase === 'stopping') return state;
      return isUp(state) || isEnding(state) ? { phase: 'stopping' } : { phase: 'stopped' };
    case 'unload':
      return isUp(state) ? { phase: 'unloading' } : state;
    case 'exit':
      return exited(state, event);
    default:
      return event satisfies never;
  }
}

/** Whether there is a process, or there is about to be. */
export function isUp(state: RuntimeState): boolean {
  return state.phase === 'starting' || state.phase === 'loading' || state.phase === 'ready';
}

/** Whether there still is a process that was told to go. */
export function isEnding(state: RuntimeState): boolean {
  return state.phase === 'stopping' || state.phase === 'unloading';
}

function exited(
  state: RuntimeState,
  { reason, crashes, loadingCrashes }: Extract<RuntimeEvent, { type: 'exit' }>,
): RuntimeState {
  if (state.phase === 'stopping') return { phase: 'stopped' };
  if (state.phase === 'unloading') return { phase: 'unloaded' };
  if (!isUp(state)) return state;
  if (loadingCrashes >= MAX_LOADING_CRASHES) {
    return {
      phase: 'failed',
      failure: {
        reason: 'load_crashed',
        message: `The runtime ended while loading the model (${reason}), ${loadingCrashes} times in a row.`,
        remedy:
          'The model may need more memory than there is: try a smaller or more quantized one.',
      },
    };
  }
  if (crashes > MAX_CRASHES) {
    return {
      phase: 'failed',
      failure: {
        reason: 'crash_loop',
        message: `The runtime crashed ${crashes} times in 5 minutes (last: ${reason}).`,
        remedy: 'See the log for what it said last, then start it again or choose another model.',
      },
    };
  }
  return {
    phase: 'crashed',
    reason,
    retryInMs: crashes <= 1 ? 0 : FIRST_BACKOFF_MS * 2 ** (crashes - 2),
  };
}
