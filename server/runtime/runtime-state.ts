import type { FatalLine, ReadyLine } from './launcher-line.ts';
import type { RuntimeConnection } from './runtime-connection.ts';

/** Why there is no runtime, and what a person can do about it. */
export type Failure = Omit<FatalLine, 'event'>;

/** A model that could not be loaded, and why; the model served before it took its place. */
export interface Rollback {
  readonly from: string;
  readonly failure: Failure;
}

/** What outlives a phase. */
export interface RuntimeContext {
  /** The model to serve: a folder or a Hugging Face id. */
  readonly wanted: string;
  /** The model that was ready last. When `wanted` cannot be loaded, this one is served again. */
  readonly lastReady: string | undefined;
  /** When the runtime crashed, within the last {@link CRASH_WINDOW_MS}. */
  readonly crashes: readonly number[];
  /** Crashes in a row without having been ready. */
  readonly loadingCrashes: number;
  /** Set when `wanted` was given up, until the next start or change of the model. */
  readonly rollback: Rollback | undefined;
  /** How many callers use the runtime alone, or wait to. */
  readonly exclusive: number;
  /** Whether the runtime was shut down, so that nothing starts it again. */
  readonly isShutDown: boolean;
}

interface Serving {
  readonly model: ReadyLine;
  readonly pid: number;
  /** In use now; `model` has what was in use right after loading. */
  readonly memoryBytes: number;
  readonly connection: RuntimeConnection;
}

/** What follows once the process is gone. */
export type AfterExit =
  | { readonly to: 'stopped' | 'unloaded' | 'starting' }
  | { readonly to: 'failed'; readonly failure: Failure }
  | { readonly to: 'crashed'; readonly reason: string; readonly whileLoading: boolean };

/**
 * The phases of the runtime. There is a process in starting, loading, ready, draining and stopping,
 * and in no other phase. "Busy" is not a phase: it is the queue's count. `since` is the time at which
 * the phase was entered; loading counts from the start of its process.
 */
export type RuntimePhase =
  | { readonly phase: 'stopped' }
  | { readonly phase: 'starting'; readonly since: number }
  | {
      readonly phase: 'loading';
      readonly since: number;
      readonly model: string;
      readonly pid: number;
      /** Size of the model's weights on disk; 0 until the launcher has reported it. */
      readonly weightsBytes: number;
    }
  | ({ readonly phase: 'ready' } & Serving)
  /** No new work starts, and what runs may complete, until nothing runs or the limit has passed. */
  | ({
      readonly phase: 'draining';
      readonly since: number;
      readonly after: AfterExit;
    } & Serving)
  /** The process was told to end, or killed if it is to end at once. */
  | { readonly phase: 'stopping'; readonly after: AfterExit; readonly kill: boolean }
  /** Stopped to free memory. Started again by whoever needs it. */
  | { readonly phase: 'unloaded' }
  | {
      readonly phase: 'crashed';
      readonly since: number;
      readonly reason: string;
      readonly retryInMs: number;
    }
  | { readonly phase: 'failed'; readonly failure: Failure };

/** Everything that decides what the supervisor does next. All times are in ms on its clock. */
export type RuntimeState = RuntimePhase & { readonly context: RuntimeContext };

export type RuntimeEvent =
  /** Somebody asks for the runtime to run, to stop, to serve another model, or to free its memory. */
  | { readonly type: 'start' | 'stop' | 'shutdown' | 'restart' | 'unload' }
  | { readonly type: 'load'; readonly model: string }
  /** A request waits for a runtime. */
  | { readonly type: 'needed' }
  /** A caller wants to use the runtime alone, or no longer does. */
  | { readonly type: 'hold' | 'release' }
  /** The process has reported its progress. */
  | { readonly type: 'loading'; readonly model: string; readonly pid: number }
  | { readonly type: 'weights'; readonly bytes: number }
  | { readonly type: 'ready'; readonly model: ReadyLine; readonly connection: RuntimeConnection }
  | { readonly type: 'memory'; readonly bytes: number }
  | { readonly type: 'fatal'; readonly failure: Failure }
  /** No work uses the connection any more, or its runtime has work and makes no progress. */
  | { readonly type: 'idle' | 'hang'; readonly connection: RuntimeConnection }
  /** The time of the phase is up: see {@link dueAt}. */
  | { readonly type: 'due' }
  | { readonly type: 'exit'; readonly reason: string };

/** How long phases may last, in ms. */
export interface PhaseLimits {
  /** For a model without weights; see {@link loadingLimitMs}. */
  readonly loadingTimeoutMs: number;
  readonly drainTimeoutMs: number;
}

/** More than this many crashes within the window, and another restart would not help. */
export const MAX_CRASHES = 5;
export const CRASH_WINDOW_MS = 5 * 60_000;
/** A model that crashes the runtime while it loads, twice in a row, will do so again. */
export const MAX_LOADING_CRASHES = 2;
/** The first restart is immediate; this is the wait before the second, doubled for each later one. */
const FIRST_BACKOFF_MS = 1000;
/** The slowest disk that a model is expected on, say a network share: 25 MB/s. */
const LOADING_BYTES_PER_MS = 25_000;

/** How long a model may take to load: the timeout, and a second for every 25 MB of weights. */
export function loadingLimitMs(weightsBytes: number, loadingTimeoutMs: number): number {
  return loadingTimeoutMs + weightsBytes / LOADING_BYTES_PER_MS;
}

/** When the event `due` is to be sent, if the phase has not ended by then. */
export function dueAt(state: RuntimePhase, limits: PhaseLimits): number | undefined {
  switch (state.phase) {
    case 'starting':
      return state.since + limits.loadingTimeoutMs;
    case 'loading':
      return state.since + loadingLimitMs(state.weightsBytes, limits.loadingTimeoutMs);
    case 'draining':
      return state.since + limits.drainTimeoutMs;
    case 'crashed':
      return state.since + state.retryInMs;
    default:
      return undefined;
  }
}

export function initialState(model: string): RuntimeState {
  const context: RuntimeContext = {
    wanted: model,
    lastReady: undefined,
    crashes: [],
    loadingCrashes: 0,
    rollback: undefined,
    exclusive: 0,
    isShutDown: false,
  };
  return { context, phase: 'stopped' };
}

/** The next state. An event that means nothing in a phase returns the state itself. */
export function next(state: RuntimeState, event: RuntimeEvent, now: number): RuntimeState {
  switch (event.type) {
    case 'start':
      return start(state, now);
    case 'load':
      return load(state, event.model, now);
    case 'restart':
      return state.phase === 'ready' ? drain(state, { to: 'starting' }, now) : state;
    case 'unload':
      return unload(state, now);
    case 'stop':
      return stop(state);
    case 'shutdown':
      return stop({ ...state, context: { ...state.context, isShutDown: true } });
    case 'needed':
      return state.phase === 'unloaded' && !state.context.isShutDown ? launch(state, now) : state;
    case 'hold':
    case 'release': {
      const exclusive = state.context.exclusive + (event.type === 'hold' ? 1 : -1);
      return { ...state, context: { ...state.context, exclusive } };
    }
    case 'loading': {
      if (state.phase !== 'starting') return state;
      const { context, since } = state;
      return {
        context,
        phase: 'loading',
        since,
        model: event.model,
        pid: event.pid,
        weightsBytes: 0,
      };
    }
    case 'weights':
      return state.phase === 'loading' ? { ...state, weightsBytes: event.bytes } : state;
    case 'ready': {
      if (state.phase !== 'loading') return state;
      const { context, pid } = state;
      const { model, connection } = event;
      return {
        context: { ...context, lastReady: context.wanted, loadingCrashes: 0 },
        ...{ phase: 'ready', model, pid, connection, memoryBytes: model.memory_bytes },
      };
    }
    case 'memory':
      return state.phase === 'ready' || state.phase === 'draining'
        ? { ...state, memoryBytes: event.bytes }
        : state;
    case 'fatal':
      return fatal(state, event.failure);
    case 'idle':
      return state.phase === 'draining' && state.connection === event.connection
        ? end(state, state.after)
        : state;
    case 'hang':
      return hang(state, event.connection);
    case 'due':
      return due(state, now);
    case 'exit':
      return exited(state, event.reason, now);
    default:
      return event satisfies never;
  }
}

/** A person starts it, so earlier crashes do not count. The last command wins. */
function start(state: RuntimeState, now: number): RuntimeState {
  if (state.context.isShutDown) return state;
  const context: RuntimeContext = {
    ...state.context,
    crashes: [],
    loadingCrashes: 0,
    rollback: undefined,
  };
  switch (state.phase) {
    case 'starting':
    case 'loading':
    case 'ready':
      return state;
    case 'draining':
    case 'stopping':
      return { ...state, context, after: { to: 'starting' } };
    default:
      return launch({ ...state, context }, now);
  }
}

function load(state: RuntimeState, model: string, now: number): RuntimeState {
  if (state.context.isShutDown) return state;
  const { wanted, lastReady } = state.context;
  const context: RuntimeContext = {
    ...state.context,
    wanted: model,
    crashes: [],
    loadingCrashes: 0,
    rollback: undefined,
  };
  switch (state.phase) {
    case 'stopped':
      return { ...state, context };
    case 'starting':
    case 'loading':
      return end({ ...state, context }, { to: 'starting' });
    case 'ready':
      return drain({ ...state, context }, { to: 'starting' }, now);
    case 'draining':
      // The model that still runs is wanted again, before it was exchanged.
      if (model === lastReady && wanted !== lastReady) {
        const { pid, memoryBytes, connection } = state;
        return { context, phase: 'ready', model: state.model, pid, memoryBytes, connection };
      }
      return { ...state, context, after: { to: 'starting' } };
    case 'stopping':
      if (state.after.to === 'stopped') return { ...state, context };
      return { ...state, context, after: { to: 'starting' } };
    default:
      return launch({ ...state, context }, now);
  }
}

function unload(state: RuntimeState, now: number): RuntimeState {
  switch (state.phase) {
    case 'ready':
      return drain(state, { to: 'unloaded' }, now);
    case 'starting':
    case 'loading':
      return end(state, { to: 'unloaded' });
    default:
      return state;
  }
}

function stop(state: RuntimeState): RuntimeState {
  switch (state.phase) {
    case 'starting':
    case 'loading':
    case 'ready':
    case 'draining':
      return end(state, { to: 'stopped' });
    case 'stopping':
      return state.after.to === 'stopped' ? state : { ...state, after: { to: 'stopped' } };
    case 'stopped':
      return state;
    default:
      return { context: state.context, phase: 'stopped' };
  }
}

/** The launcher has given up, and its process is about to end. */
function fatal(state: RuntimeState, failure: Failure): RuntimeState {
  switch (state.phase) {
    case 'starting':
    case 'loading':
    case 'ready': {
      const context = rollBack(state.context, failure);
      if (context === undefined) return end(state, { to: 'failed', failure });
      return end({ ...state, context }, { to: 'starting' });
    }
    default:
      return state;
  }
}

function hang(state: RuntimeState, connection: RuntimeConnection): RuntimeState {
  if (!('connection' in state) || state.connection !== connection) return state;
  if (state.phase === 'draining') return kill(state, state.after);
  return kill(state, { to: 'crashed', reason: 'it made no progress', whileLoading: false });
}

function due(state: RuntimeState, now: number): RuntimeState {
  switch (state.phase) {
    case 'starting':
    case 'loading': {
      const seconds = Math.round((now - state.since) / 1000);
      const reason = `it was not ready after ${seconds} s`;
      return kill(state, { to: 'crashed', reason, whileLoading: true });
    }
    case 'draining':
      return end(state, state.after);
    case 'crashed':
      return launch(state, now);
    default:
      return state;
  }
}

function exited(state: RuntimeState, reason: string, now: number): RuntimeState {
  switch (state.phase) {
    case 'starting':
    case 'loading':
      return crash(state.context, { reason, whileLoading: true }, now);
    case 'ready':
      return crash(state.context, { reason, whileLoading: false }, now);
    case 'draining':
    case 'stopping': {
      const { context, after } = state;
      if (after.to === 'crashed') return crash(context, after, now);
      if (after.to === 'failed') return { context, phase: 'failed', failure: after.failure };
      if (after.to === 'starting') return launch(state, now);
      return { context, phase: after.to };
    }
    default:
      return state;
  }
}

function crash(
  before: RuntimeContext,
  { reason, whileLoading }: { reason: string; whileLoading: boolean },
  now: number,
): RuntimeState {
  const crashes = [...before.crashes.filter((at) => now - at < CRASH_WINDOW_MS), now];
  const loadingCrashes = whileLoading ? before.loadingCrashes + 1 : 0;
  const context = { ...before, crashes, loadingCrashes };
  const failure = reasonToGiveUp(context, reason);
  const rolledBack = failure && rollBack(context, failure);
  if (rolledBack !== undefined) return { context: rolledBack, phase: 'starting', since: now };
  if (failure !== undefined) return { context, phase: 'failed', failure };
  const earlier = crashes.length - 1;
  const retryInMs = earlier === 0 ? 0 : FIRST_BACKOFF_MS * 2 ** (earlier - 1);
  return { context, phase: 'crashed', since: now, reason, retryInMs };
}

/** Why another restart would not help, if it would not. */
function reasonToGiveUp(
  { crashes, loadingCrashes }: RuntimeContext,
  reason: string,
): Failure | undefined {
  if (loadingCrashes >= MAX_LOADING_CRASHES) {
    return {
      reason: 'load_crashed',
      message: `The runtime ended while loading the model (${reason}), ${loadingCrashes} times in a row.`,
      remedy:
        'The model may need more memory than there is, or the disk may be too slow: try a smaller or ' +
        'more quantized model, or raise --loading-timeout.',
    };
  }
  if (crashes.length <= MAX_CRASHES) return undefined;
  return {
    reason: 'crash_loop',
    message: `The runtime crashed ${crashes.length} times in 5 minutes (last: ${reason}).`,
    remedy: 'Look in the log for its last words, then start it again or choose another model.',
  };
}

/** Wants the model that was ready last again, unless that is the one that failed or there is none. */
function rollBack(context: RuntimeContext, failure: Failure): RuntimeContext | undefined {
  const { wanted, lastReady } = context;
  if (lastReady === undefined || lastReady === wanted) return undefined;
  const rollback = { from: wanted, failure };
  return { ...context, wanted: lastReady, crashes: [], loadingCrashes: 0, rollback };
}

function launch({ context }: RuntimeState, now: number): RuntimeState {
  return { context, phase: 'starting', since: now };
}

function drain(
  state: Extract<RuntimeState, { phase: 'ready' }>,
  after: AfterExit,
  now: number,
): RuntimeState {
  return { ...state, phase: 'draining', since: now, after };
}

function end({ context }: RuntimeState, after: AfterExit): RuntimeState {
  return { context, phase: 'stopping', after, kill: false };
}

function kill({ context }: RuntimeState, after: AfterExit): RuntimeState {
  return { context, phase: 'stopping', after, kill: true };
}
