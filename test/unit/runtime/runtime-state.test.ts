import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  dueAt,
  loadingLimitMs,
  type RuntimeEvent,
  type RuntimePhase,
  type RuntimeState,
} from '../../../server/runtime/state.ts';
import { next } from '../../../server/runtime/transitions.ts';
import {
  after,
  context,
  crash,
  crashed,
  description,
  events,
  failure,
  loadB,
  type Name,
  NOW,
  phases,
  serving,
  starting,
  state,
  stopping,
  to,
  toPhase,
} from './runtime-phases.ts';

type EventName = keyof typeof events;

const stopped = phases.stopped;
const drain = (phase: 'unloaded' | 'starting'): RuntimePhase => ({
  ...{ phase: 'draining', since: NOW, after: to(phase), ...serving },
});
const serve = { start: starting, load: starting, stop: stopped, shutdown: stopped };
const quit = { stop: stopping(to('stopped')), shutdown: stopping(to('stopped')) };
const go = { start: stopping(to('starting')), load: stopping(to('starting')) };
const onceGone = { ...go, ...quit };
const abandon = {
  ...quit,
  load: stopping(to('starting')),
  unload: stopping(to('unloaded')),
  fatal: stopping({ to: 'failed', failure }),
  due: stopping(crashed('it was not ready after 56 s', true), true),
  exit: crash('killed'),
};
const drained = (phase: 'unloaded' | 'starting') => ({
  ...quit,
  memory: {
    ...phases[phase === 'unloaded' ? 'draining to unload' : 'draining to start'],
    memoryBytes: 6,
  },
  start: { ...phases['draining to start'] },
  load: { ...phases['draining to start'] },
  idle: stopping(to(phase)),
  due: stopping(to(phase)),
  hang: stopping(to(phase), true),
  exit: phase === 'unloaded' ? phases.unloaded : starting,
});

/** All transitions, by phase and event. Events that are not listed change nothing. */
const table: Record<Name, Partial<Record<EventName, RuntimePhase>>> = {
  stopped: { start: starting },
  starting: { ...abandon, loading: { ...phases.loading, weightsBytes: 0 } },
  loading: { ...abandon, ready: phases.ready },
  ready: {
    ...quit,
    load: drain('starting'),
    restart: drain('starting'),
    unload: drain('unloaded'),
    memory: { ...phases.ready, memoryBytes: 6 },
    fatal: stopping({ to: 'failed', failure }),
    hang: stopping(crashed('it made no progress', false), true),
    exit: crash('killed'),
  },
  'draining to unload': drained('unloaded'),
  'draining to start': drained('starting'),
  'stopping to stop': { start: stopping(to('starting')), exit: stopped },
  'stopping to unload': { ...onceGone, exit: phases.unloaded },
  'stopping to start': { ...quit, exit: starting },
  'stopping to fail': { ...onceGone, exit: phases.failed },
  'stopping to crash': {
    start: stopping(to('starting'), true),
    load: stopping(to('starting'), true),
    stop: stopping(to('stopped'), true),
    shutdown: stopping(to('stopped'), true),
    exit: crash('it hung'),
  },
  unloaded: { ...serve, needed: starting },
  crashed: { ...serve, due: starting },
  failed: serve,
};

for (const [name, phase] of Object.entries(phases) as [Name, RuntimePhase][]) {
  for (const [eventName, event] of Object.entries(events) as [EventName, RuntimeEvent][]) {
    const expected = table[name][eventName];
    test(`${name} + ${eventName} -> ${expected?.phase ?? 'no change'}`, () => {
      assert.deepEqual(toPhase(next({ ...phase, context }, event, NOW)), expected ?? phase);
    });
  }
}

for (const name of Object.keys(phases) as Name[]) {
  test(`nothing starts a runtime that was shut down, ${name}`, () => {
    const down = state(phases[name], { isShutDown: true });
    for (const event of [events.start, loadB, events.needed]) {
      assert.equal(next(down, event, NOW), down);
    }
  });

  test(`a load forgets earlier crashes and rollbacks, ${name}`, () => {
    const worn = { crashes: [NOW], loadingCrashes: 1, rollback: { from: 'C', failure } };
    const { context: after } = next(state(phases[name], worn), loadB, NOW);
    assert.deepEqual(after, { ...context, wanted: 'B', description: undefined });
  });
}

for (const name of ['starting', 'loading', 'ready'] as const) {
  test(`starting a running runtime changes nothing, ${name}`, () => {
    const up = state(phases[name], { crashes: [NOW] });
    assert.equal(next(up, events.start, NOW), up);
  });
}

test('a shutdown is remembered, in any phase', () => {
  for (const [name, phase] of Object.entries(phases)) {
    assert.equal(next(state(phase), events.shutdown, NOW).context.isShutDown, true, name);
    assert.equal(next(state(phase), events.stop, NOW).context.isShutDown, false, name);
  }
});

test('a load during a stop does not start the model', () => {
  const { phase } = after(state(phases['stopping to stop']), loadB, events.exit);
  assert.equal(phase, 'stopped');
});

test('B and then A while A still runs cancels the drain', () => {
  const back = after(state(phases.ready), loadB, events.load);
  assert.deepEqual(back, state(phases.ready));
});

test('B and then C, while A still runs, drains A once and starts C', () => {
  const draining = after(state(phases.ready), loadB, { type: 'load', model: 'C' });
  assert.deepEqual(toPhase(draining), drain('starting'));
  const gone = after(draining, events.idle, events.exit);
  assert.deepEqual([gone.phase, gone.context.wanted], ['starting', 'C']);
});

test('the description of a model survives its process, and is dropped with the model', () => {
  const known = (state: RuntimeState) => state.context.description;
  const fresh = state(phases.loading, { description: undefined });
  // The text of a chat template tells less than rendering it.
  const guess = { ...description, calls_tools: false, thinks: true };
  const described = after(fresh, { type: 'description', description: guess });
  assert.deepEqual(known(described), guess);
  const ready = after(fresh, events.ready);
  assert.deepEqual(known(ready), description);
  const unloaded = after(ready, events.unload, events.idle, events.exit);
  assert.deepEqual([unloaded.phase, known(unloaded)], ['unloaded', description]);
  assert.equal(known(after(unloaded, loadB)), undefined);
  assert.equal(known(after(state(phases.stopped, { wanted: 'B' }), loadB)), description);
});

test('exclusive users are counted in any phase', () => {
  const held = after(state(phases.failed), events.hold, events.hold);
  const released = after(held, events.release);
  assert.deepEqual(
    [held, released].map(({ context }) => context.exclusive),
    [2, 1],
  );
});

test('a phase that lasts too long is due', () => {
  const limits = { loadingTimeoutMs: 100_000, drainTimeoutMs: 20_000 };
  const due = (Object.keys(phases) as Name[]).map((name) => [name, dueAt(phases[name], limits)]);
  assert.deepEqual(
    due.filter(([, at]) => at !== undefined),
    [
      ['starting', 105_000],
      ['loading', 105_000 + 3 / 25_000],
      ['draining to unload', 25_000],
      ['draining to start', 25_000],
      ['crashed', 5500],
    ],
  );
});

test('a model may take a second longer to load for every 25 MB', () => {
  assert.equal(loadingLimitMs(5_000_000_000, 120_000), 320_000);
});
