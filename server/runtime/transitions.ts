import type { Problem } from '../problem.ts';
import type { RuntimeConnection } from './connection.ts';
import type { ModelDescription, ReadyLine } from './protocol.ts';
import type { AfterExit, RuntimeContext, RuntimeEvent, RuntimeState } from './state.ts';

/** After more crashes than this within the window, the runtime is not restarted. */
const MAX_CRASHES = 5;
const CRASH_WINDOW_MS = 5 * 60_000;
/** A model that crashes the runtime twice in a row while loading is not tried again. */
const MAX_LOADING_CRASHES = 2;
/** The first restart is immediate; this is the wait before the second, doubled for each later one. */
const FIRST_BACKOFF_MS = 1000;
/** What a start, a model change or a rollback resets. */
const CLEAN_RECORD = { crashes: [], loadingCrashes: 0, rollback: undefined };

/** The next state; the same object if the event does not apply in this phase. */
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
    case 'loading':
    case 'description':
    case 'weights':
    case 'memory':
      return report(state, event);
    case 'ready':
      return becomeReady(state, event);
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

/** What the launcher reports between its start and its end. */
function report(
  state: RuntimeState,
  event: Extract<RuntimeEvent, { type: 'loading' | 'description' | 'weights' | 'memory' }>,
): RuntimeState {
  switch (event.type) {
    case 'loading': {
      if (state.phase !== 'starting') return state;
      const { model, pid } = event;
      return { ...state, phase: 'loading', model, pid, weightsBytes: 0 };
    }
    case 'description': {
      if (state.phase !== 'loading') return state;
      const { description } = event;
      return { ...state, context: { ...state.context, description } };
    }
    case 'weights':
      return state.phase === 'loading' ? { ...state, weightsBytes: event.bytes } : state;
    case 'memory':
      return state.phase === 'ready' || state.phase === 'draining'
        ? { ...state, memoryBytes: event.bytes }
        : state;
    default:
      return event satisfies never;
  }
}

function becomeReady(
  state: RuntimeState,
  { model, connection }: Extract<RuntimeEvent, { type: 'ready' }>,
): RuntimeState {
  if (state.phase !== 'loading') return state;
  const { pid } = state;
  const { wanted } = state.context;
  const ready = { lastReady: wanted, loadingCrashes: 0, description: toDescription(model) };
  const context = { ...state.context, ...ready };
  return { context, phase: 'ready', model, pid, connection, memoryBytes: model.memory_bytes };
}

function toDescription(model: ReadyLine): ModelDescription {
  const { model_type, context_length, quantization, sees_images, template } = model;
  const calls_tools = template.tools !== 'none';
  const thinks = template.thinking !== 'none';
  return { model_type, context_length, quantization, sees_images, calls_tools, thinks };
}

/** An explicit start, so earlier crashes do not count. The last command wins. */
function start(state: RuntimeState, now: number): RuntimeState {
  if (state.context.isShutDown) return state;
  const context = { ...state.context, ...CLEAN_RECORD };
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
  const description = model === wanted ? state.context.description : undefined;
  const context = { ...state.context, ...CLEAN_RECORD, wanted: model, description };
  switch (state.phase) {
    case 'stopped':
      return { ...state, context };
    case 'starting':
    case 'loading':
      return end({ ...state, context }, { to: 'starting' });
    case 'ready':
      return drain({ ...state, context }, { to: 'starting' }, now);
    case 'draining':
      // Switching back to the model that is still loaded cancels the switch.
      if (model === lastReady && wanted !== lastReady) {
        const { pid, memoryBytes, connection } = state;
        const known = { ...context, description: toDescription(state.model) };
        return { context: known, phase: 'ready', model: state.model, pid, memoryBytes, connection };
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

/** The launcher has reported an error that it cannot recover from, and is about to exit. */
function fatal(state: RuntimeState, failure: Problem): RuntimeState {
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
  if (state.phase === 'draining') return end(state, state.after, true);
  return end(state, { to: 'crashed', reason: 'it made no progress', whileLoading: false }, true);
}

function due(state: RuntimeState, now: number): RuntimeState {
  switch (state.phase) {
    case 'starting':
    case 'loading': {
      const seconds = Math.round((now - state.since) / 1000);
      const reason = `it was not ready after ${seconds} s`;
      return end(state, { to: 'crashed', reason, whileLoading: true }, true);
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

/** Why the runtime should not be restarted; undefined if it should. */
function reasonToGiveUp(
  { crashes, loadingCrashes }: RuntimeContext,
  reason: string,
): Problem | undefined {
  if (loadingCrashes >= MAX_LOADING_CRASHES) {
    return {
      reason: 'load_crashed',
      message: `The runtime crashed ${loadingCrashes} times in a row while loading the model (last: ${reason}).`,
      remedy:
        'There may not be enough memory for the model, or the disk may be too slow: try a smaller or ' +
        'more quantized model, or raise --loading-timeout.',
    };
  }
  if (crashes.length <= MAX_CRASHES) return undefined;
  return {
    reason: 'crash_loop',
    message: `The runtime crashed ${crashes.length} times in 5 minutes (last: ${reason}).`,
    remedy: 'See the log for its last output, then start it again or choose another model.',
  };
}

/** Falls back to the model that was ready last; undefined if there is none or it is the failed one. */
function rollBack(context: RuntimeContext, failure: Problem): RuntimeContext | undefined {
  const { wanted, lastReady } = context;
  if (lastReady === undefined || lastReady === wanted) return undefined;
  const rollback = { from: wanted, failure };
  return { ...context, ...CLEAN_RECORD, wanted: lastReady, description: undefined, rollback };
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

function end({ context }: RuntimeState, after: AfterExit, kill = false): RuntimeState {
  return { context, phase: 'stopping', after, kill };
}
