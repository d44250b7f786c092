import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ReadyLine } from '../../../server/runtime/launcher-line.ts';
import {
  next,
  type RuntimeEvent,
  type RuntimeState,
} from '../../../server/runtime/runtime-state.ts';

const model = { event: 'ready', model: 'demo', memory_bytes: 5 } as ReadyLine;
const failure = { reason: 'model_not_found', message: 'There is no model.', remedy: 'Choose one.' };

const states = {
  stopped: { phase: 'stopped' },
  starting: { phase: 'starting' },
  loading: { phase: 'loading', model: 'demo', pid: 7 },
  ready: { phase: 'ready', model, pid: 7, memoryBytes: 5 },
  stopping: { phase: 'stopping' },
  unloading: { phase: 'unloading' },
  unloaded: { phase: 'unloaded' },
  crashed: { phase: 'crashed', reason: 'killed by SIGKILL', retryInMs: 0 },
  failed: { phase: 'failed', failure },
} satisfies Record<string, RuntimeState>;
type Phase = keyof typeof states;

const events = {
  start: { type: 'start' },
  loading: { type: 'loading', model: 'demo', pid: 7 },
  ready: { type: 'ready', model },
  memory: { type: 'memory', memoryBytes: 6 },
  fatal: { type: 'fatal', failure },
  stop: { type: 'stop' },
  unload: { type: 'unload' },
  exit: { type: 'exit', reason: 'killed by SIGKILL', crashes: 1, loadingCrashes: 1 },
} satisfies Record<string, RuntimeEvent>;

/** What ends any life of the runtime. */
const ends = { fatal: 'failed', stop: 'stopping', unload: 'unloading', exit: 'crashed' } as const;

/** The whole machine: in this phase, that event leads there. What is not listed changes nothing. */
const table: Record<Phase, Partial<Record<keyof typeof events, Phase>>> = {
  stopped: { start: 'starting', stop: 'stopped' },
  starting: { loading: 'loading', ...ends },
  loading: { ready: 'ready', ...ends },
  ready: ends,
  stopping: { exit: 'stopped', stop: 'stopping' },
  unloading: { exit: 'unloaded', stop: 'stopping' },
  unloaded: { start: 'starting', stop: 'stopped' },
  crashed: { start: 'starting', stop: 'stopped' },
  failed: { start: 'starting', stop: 'stopped' },
};

for (const [phase, state] of Object.entries(states) as [Phase, RuntimeState][]) {
  for (const [name, event] of Object.entries(events) as [keyof typeof events, RuntimeEvent][]) {
    const leadsTo = table[phase][name];
    test(`${phase} + ${name} -> ${leadsTo ?? 'no change'}`, () => {
      const result = next(state, event);
      if (leadsTo === undefined || leadsTo === phase) assert.equal(result.phase, phase);
      else assert.deepEqual(result, states[leadsTo]);
    });
  }
}

test('what memory is in use is known while it is ready', () => {
  assert.deepEqual(next(states.ready, events.memory), { ...states.ready, memoryBytes: 6 });
});

test('the first crash is followed by a restart at once, later ones by longer and longer waits', () => {
  const waits = [1, 2, 3, 4, 5].map((crashes) => {
    const state = next(states.ready, { type: 'exit', reason: 'x', crashes, loadingCrashes: 0 });
    return state.phase === 'crashed' ? state.retryInMs : state.phase;
  });
  assert.deepEqual(waits, [0, 1000, 2000, 4000, 8000]);
});

test('more than five crashes within the window are a failure with a remedy', () => {
  const state = next(states.ready, {
    type: 'exit',
    reason: 'killed by SIGSEGV',
    crashes: 6,
    loadingCrashes: 0,
  });
  assert.equal(state.phase === 'failed' && state.failure.reason, 'crash_loop');
});

test('a runtime that dies twice while it loads has failed', () => {
  const state = next(states.loading, {
    type: 'exit',
    reason: 'killed by SIGKILL',
    crashes: 2,
    loadingCrashes: 2,
  });
  assert.equal(state.phase === 'failed' && state.failure.reason, 'load_crashed');
});

test('a crash and then one while the next one loads is no failure yet', () => {
  const exit = {
    type: 'exit',
    reason: 'killed by SIGKILL',
    crashes: 2,
    loadingCrashes: 1,
  } as const;
  assert.equal(next(states.loading, exit).phase, 'crashed');
});
