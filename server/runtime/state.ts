import type { Problem } from '../problem.ts';
import type { RuntimeConnection } from './connection.ts';
import type { LauncherLine, ModelDescription, ReadyLine } from './protocol.ts';

/** A model that could not be loaded, and why. The model served before it was restored. */
export interface Rollback {
  readonly from: string;
  readonly failure: Problem;
}

/** State that persists across phases. */
export interface RuntimeContext {
  /** The model to serve: a folder or a Hugging Face id. */
  readonly wanted: string;
  /** What the wanted model's files say, whether or not it is loaded. Undefined until they are read. */
  readonly description: ModelDescription | undefined;
  /** The last model that became ready: the fallback if `wanted` cannot be loaded. */
  readonly lastReady: string | undefined;
  /** Times of the crashes within the last crash window. */
  readonly crashes: readonly number[];
  /** Consecutive crashes while loading. */
  readonly loadingCrashes: number;
  /** Set after falling back to `lastReady`, until the next start or model change. */
  readonly rollback: Rollback | undefined;
  /** Number of callers that have, or are waiting for, exclusive use of the runtime. */
  readonly exclusive: number;
  /** Whether the runtime has been shut down for good. */
  readonly isShutDown: boolean;
}

interface Serving {
  readonly model: ReadyLine;
  readonly pid: number;
  /** Memory in use now; `model` has that after loading. */
  readonly memoryBytes: number;
  readonly connection: RuntimeConnection;
}

/** What happens once the process has exited. */
export type AfterExit =
  | { readonly to: 'stopped' | 'unloaded' | 'starting' }
  | { readonly to: 'failed'; readonly failure: Problem }
  | { readonly to: 'crashed'; readonly reason: string; readonly whileLoading: boolean };

/**
 * The phases of the runtime. A process exists in starting, loading, ready, draining and stopping, and
 * in no other phase. There is no "busy" phase; see the queue's stats for that. `since` is when the phase was
 * entered or, for loading, when its process was started.
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
  /** Starts no new work. Ends when all running work has completed, or at the drain timeout. */
  | ({
      readonly phase: 'draining';
      readonly since: number;
      readonly after: AfterExit;
    } & Serving)
  /** Waiting for the process to exit, after SIGTERM or, with `kill`, SIGKILL. */
  | { readonly phase: 'stopping'; readonly after: AfterExit; readonly kill: boolean }
  /** Stopped to free memory. The next request starts it again. */
  | { readonly phase: 'unloaded' }
  | {
      readonly phase: 'crashed';
      readonly since: number;
      readonly reason: string;
      readonly retryInMs: number;
    }
  | { readonly phase: 'failed'; readonly failure: Problem };

/** Everything the supervisor's next step depends on. All times are in ms on its clock. */
export type RuntimeState = RuntimePhase & { readonly context: RuntimeContext };

export type RuntimeEvent =
  /** Commands: run, stop, serve another model, or free the memory. */
  | { readonly type: 'start' | 'stop' | 'shutdown' | 'restart' | 'unload' }
  | { readonly type: 'load'; readonly model: string }
  /** A request is waiting for a runtime. */
  | { readonly type: 'needed' }
  /** A caller wants exclusive use of the runtime, or is done with it. */
  | { readonly type: 'hold' | 'release' }
  /** Reports from the process. */
  | { readonly type: 'loading'; readonly model: string; readonly pid: number }
  | { readonly type: 'description'; readonly description: ModelDescription }
  | { readonly type: 'weights'; readonly bytes: number }
  | { readonly type: 'ready'; readonly model: ReadyLine; readonly connection: RuntimeConnection }
  | { readonly type: 'memory'; readonly bytes: number }
  | { readonly type: 'fatal'; readonly failure: Problem }
  /** The connection has no more work, or has work but makes no progress. */
  | { readonly type: 'idle' | 'hang'; readonly connection: RuntimeConnection }
  /** The phase has reached its deadline: see {@link dueAt}. */
  | { readonly type: 'due' }
  | { readonly type: 'exit'; readonly reason: string };

/** The longest that phases may last, in ms. */
export interface PhaseLimits {
  /** For a model without weights; see {@link loadingLimitMs}. */
  readonly loadingTimeoutMs: number;
  readonly drainTimeoutMs: number;
}

/** The slowest storage we expect a model on, such as a network share: 25 MB/s. */
const LOADING_BYTES_PER_MS = 25_000;

/** How long a model may take to load: the timeout, plus a second for every 25 MB of weights. */
export function loadingLimitMs(weightsBytes: number, loadingTimeoutMs: number): number {
  return loadingTimeoutMs + weightsBytes / LOADING_BYTES_PER_MS;
}

/** The phase's deadline, at which the event `due` is sent. */
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
    crashes: [],
    loadingCrashes: 0,
    rollback: undefined,
    wanted: model,
    description: undefined,
    lastReady: undefined,
    exclusive: 0,
    isShutDown: false,
  };
  return { context, phase: 'stopped' };
}

/** Whether the runtime has been stopped, or is about to be. */
export function isStopped(state: RuntimeState): boolean {
  return state.phase === 'stopped' || (state.phase === 'stopping' && state.after.to === 'stopped');
}

/** The event for a line from the launcher. `ready` also needs a connection. */
export function toEvent(line: Exclude<LauncherLine, ReadyLine>): RuntimeEvent {
  switch (line.event) {
    case 'loading':
      return { type: 'loading', model: line.model, pid: line.pid };
    case 'description': {
      const { event: _, ...description } = line;
      return { type: 'description', description };
    }
    case 'weights':
      return { type: 'weights', bytes: line.weights_bytes };
    case 'memory':
      return { type: 'memory', bytes: line.memory_bytes };
    case 'fatal': {
      const { event: _, ...failure } = line;
      return { type: 'fatal', failure };
    }
    default:
      return line satisfies never;
  }
}

/** The level at which entering the state is logged. */
export function levelOf({ phase }: RuntimeState): 'info' | 'warn' | 'error' {
  if (phase === 'failed') return 'error';
  return phase === 'crashed' ? 'warn' : 'info';
}

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
