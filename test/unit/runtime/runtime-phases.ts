import type { RuntimeConnection } from '../../../server/runtime/connection.ts';
import type { ReadyLine } from '../../../server/runtime/protocol.ts';
import {
  type AfterExit,
  initialState,
  type RuntimeContext,
  type RuntimeEvent,
  type RuntimePhase,
  type RuntimeState,
} from '../../../server/runtime/state.ts';
import { next } from '../../../server/runtime/transitions.ts';

/** Model A and what its runtime reports. */
export const description = {
  model_type: 'qwen2_vl',
  context_length: 4096,
  quantization: '4-bit',
  sees_images: true,
  calls_tools: true,
  thinks: false,
};
const { calls_tools: _, thinks: __, ...loaded } = description;
const template = { tools: 'native', thinking: 'none', reasoning_effort: false } as const;
export const model = {
  ...{ event: 'ready', model: 'demo', memory_bytes: 5 },
  ...{ ...loaded, template },
} as ReadyLine;
export const failure = {
  reason: 'model_not_found',
  message: 'There is no model.',
  remedy: 'Choose one.',
};
export const connection = { socketPath: 'this' } as RuntimeConnection;
export const another = { socketPath: 'another' } as RuntimeConnection;
export const NOW = 61_000;
export const SINCE = 5000;

/** Model A was ready, and is wanted. */
export const context: RuntimeContext = {
  ...initialState('A').context,
  lastReady: 'A',
  description,
};
export const serving = { model, pid: 7, memoryBytes: 5, connection };
export const to = (phase: 'stopped' | 'unloaded' | 'starting'): AfterExit => ({ to: phase });
export const crashed = (reason: string, whileLoading: boolean): AfterExit => ({
  ...{ to: 'crashed', reason, whileLoading },
});
export const stopping = (after: AfterExit, kill = false): RuntimePhase => ({
  ...{ phase: 'stopping', after, kill },
});
export const starting: RuntimePhase = { phase: 'starting', since: NOW };
export const crash = (reason: string): RuntimePhase => ({
  ...{ phase: 'crashed', since: NOW, reason, retryInMs: 0 },
});

/** One state of each phase. */
export const phases = {
  stopped: { phase: 'stopped' },
  starting: { phase: 'starting', since: SINCE },
  loading: { phase: 'loading', since: SINCE, model: 'demo', pid: 7, weightsBytes: 3 },
  ready: { phase: 'ready', ...serving },
  'draining to unload': { phase: 'draining', since: SINCE, after: to('unloaded'), ...serving },
  'draining to start': { phase: 'draining', since: SINCE, after: to('starting'), ...serving },
  'stopping to stop': stopping(to('stopped')),
  'stopping to unload': stopping(to('unloaded')),
  'stopping to start': stopping(to('starting')),
  'stopping to fail': stopping({ to: 'failed', failure }),
  'stopping to crash': stopping(crashed('it hung', false), true),
  unloaded: { phase: 'unloaded' },
  crashed: { phase: 'crashed', since: SINCE, reason: 'killed', retryInMs: 500 },
  failed: { phase: 'failed', failure },
} satisfies Record<string, RuntimePhase>;
export type Name = keyof typeof phases;

/** One event of each type. */
export const events = {
  start: { type: 'start' },
  stop: { type: 'stop' },
  shutdown: { type: 'shutdown' },
  restart: { type: 'restart' },
  unload: { type: 'unload' },
  load: { type: 'load', model: 'A' },
  needed: { type: 'needed' },
  hold: { type: 'hold' },
  release: { type: 'release' },
  loading: { type: 'loading', model: 'demo', pid: 7 },
  description: { type: 'description', description },
  weights: { type: 'weights', bytes: 3 },
  ready: { type: 'ready', model, connection },
  memory: { type: 'memory', bytes: 6 },
  fatal: { type: 'fatal', failure },
  idle: { type: 'idle', connection },
  'idle of another': { type: 'idle', connection: another },
  hang: { type: 'hang', connection },
  'hang of another': { type: 'hang', connection: another },
  due: { type: 'due' },
  exit: { type: 'exit', reason: 'killed' },
} satisfies Record<string, RuntimeEvent>;

/** A state without its context. */
export const toPhase = ({ context: _, ...phase }: RuntimeState): object => phase;

/** A state in this phase, with changes to the context of a ready runtime. */
export const state = (phase: RuntimePhase, more: Partial<RuntimeContext> = {}): RuntimeState => ({
  ...phase,
  context: { ...context, ...more },
});
/** The state after these events, all at the same time. */
export const after = (first: RuntimeState, ...list: RuntimeEvent[]): RuntimeState =>
  list.reduce((before, event) => next(before, event, NOW), first);
export const loadB: RuntimeEvent = { type: 'load', model: 'B' };
