import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RuntimeConnection } from '../../../server/runtime/connection.ts';
import type { ReadyLine } from '../../../server/runtime/protocol.ts';
import {
  type AfterExit,
  dueAt,
  initialState,
  loadingLimitMs,
  type RuntimeContext,
  type RuntimeEvent,
  type RuntimePhase,
  type RuntimeState,
} from '../../../server/runtime/state.ts';
import { next } from '../../../server/runtime/transitions.ts';

const description = {
  model_type: 'qwen2_vl',
  context_length: 4096,
  quantization: '4-bit',
  sees_images: true,
  calls_tools: true,
  thinks: false,
};
const { calls_tools: _, thinks: __, ...loaded } = description;
const template = { tools: 'native', thinking: 'none', reasoning_effort: false } as const;
const model = {
  ...{ event: 'ready', model: 'demo', memory_bytes: 5 },
  ...{ ...loaded, template },
} as ReadyLine;
const failure = { reason: 'model_not_found', message: 'There is no model.', remedy: 'Choose one.' };
const connection = { socketPath: 'this' } as RuntimeConnection;
const another = { socketPath: 'another' } as RuntimeConnection;
const NOW = 61_000;
const SINCE = 5000;
const FIVE_MINUTES = 300_000;

/** Model A was ready, and is wanted. */
const context: RuntimeContext = {
  ...initialState('A').context,
  lastReady: 'A',
  description,
};
const serving = { model, pid: 7, memoryBytes: 5, connection };
const to = (phase: 'stopped' | 'unloaded' | 'starting'): AfterExit => ({ to: phase });
const crashed = (reason: string, whileLoading: boolean): AfterExit => ({
  ...{ to: 'crashed', reason, whileLoading },
});
const stopping = (after: AfterExit, kill = false): RuntimePhase => ({
  ...{ phase: 'stopping', after, kill },
});
const starting: RuntimePhase = { phase: 'starting', since: NOW };
const crash = (reason: string): RuntimePhase => ({
  ...{ phase: 'crashed', since: NOW, reason, retryInMs: 0 },
});

const phases = {
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
type Name = keyof typeof phases;

const events = {
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

const toPhase = ({ context: _, ...phase }: RuntimeState): object => phase;

for (const [name, phase] of Object.entries(phases) as [Name, RuntimePhase][]) {
  for (const [eventName, event] of Object.entries(events) as [EventName, RuntimeEvent][]) {
    const expected = table[name][eventName];
    test(`${name} + ${eventName} -> ${expected?.phase ?? 'no change'}`, () => {
      assert.deepEqual(toPhase(next({ ...phase, context }, event, NOW)), expected ?? phase);
    });
  }
}

const state = (phase: RuntimePhase, more: Partial<RuntimeContext> = {}): RuntimeState => ({
  ...phase,
  context: { ...context, ...more },
});
/** The state after these events, all at the same time. */
const after = (first: RuntimeState, ...list: RuntimeEvent[]): RuntimeState =>
  list.reduce((before, event) => next(before, event, NOW), first);
const loadB: RuntimeEvent = { type: 'load', model: 'B' };

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

for (const name of [
  'draining to start',
  'stopping to stop',
  'crashed',
  'failed',
  'unloaded',
] as const) {
  test(`a start forgets earlier crashes and rollbacks, ${name}`, () => {
    const worn = { crashes: [NOW], loadingCrashes: 1, rollback: { from: 'C', failure } };
    assert.deepEqual(next(state(phases[name], worn), events.start, NOW).context, context);
  });
}

for (const name of ['starting', 'loading', 'ready'] as const) {
  test(`starting a running runtime changes nothing, ${name}`, () => {
    const up = state(phases[name], { crashes: [NOW] });
    assert.equal(next(up, events.start, NOW), up);
  });
}

test('automatic restarts do not reset the crashes', () => {
  for (const [name, event] of [
    ['unloaded', events.needed],
    ['crashed', events.due],
    ['ready', events.restart],
    ['stopping to start', events.exit],
  ] as const) {
    const { crashes, loadingCrashes } = next(
      state(phases[name], { crashes: [NOW - 1], loadingCrashes: 1 }),
      event,
      NOW,
    ).context;
    assert.deepEqual([crashes, loadingCrashes], [[NOW - 1], 1], name);
  }
});

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

test('a model that is ready becomes the fallback', () => {
  const loading = state(phases.loading, { wanted: 'B', lastReady: 'A', loadingCrashes: 1 });
  const { lastReady, loadingCrashes } = next(loading, events.ready, NOW).context;
  assert.deepEqual([lastReady, loadingCrashes], ['B', 0]);
});

for (const name of ['unloaded', 'ready', 'draining to unload', 'crashed', 'failed'] as const) {
  test(`a model that cannot be loaded is rolled back, ${name}`, () => {
    const asked = after(state(phases[name]), loadB);
    const gone = asked.phase === 'starting' ? asked : after(asked, events.idle, events.exit);
    const back = after(gone, events.loading, events.fatal);
    assert.deepEqual(toPhase(back), stopping(to('starting')));
    const rollback = { from: 'B', failure };
    assert.deepEqual(back.context, { ...context, wanted: 'A', description: undefined, rollback });
  });
}

test('two broken models in a row roll back to the one that was ready', () => {
  const broken = after(state(phases.loading, { wanted: 'B' }), { type: 'load', model: 'C' });
  const back = after(broken, events.exit, events.fatal, events.exit);
  assert.deepEqual([back.phase, back.context.wanted], ['starting', 'A']);
});

test('without a model that was ready, the last failure is the reason', () => {
  const first = state(phases.loading, { wanted: 'B', lastReady: undefined });
  const failed = after(first, { type: 'load', model: 'C' }, events.exit, events.fatal, events.exit);
  assert.deepEqual(toPhase(failed), phases.failed);
});

test('a fallback that cannot be loaded is a failure', () => {
  const broken = state(phases.loading, { wanted: 'B' });
  const failed = after(
    broken,
    events.fatal,
    events.exit,
    events.loading,
    events.fatal,
    events.exit,
  );
  assert.deepEqual([failed.phase, failed.context.wanted], ['failed', 'A']);
});

const exitAt = (before: RuntimeState, at: number) => next(before, events.exit, at);
const failureOf = (failed: RuntimeState) =>
  failed.phase === 'failed' ? failed.failure : { reason: failed.phase, message: '' };

test('the first crash is followed by an immediate restart, later ones by longer and longer delays', () => {
  const waits = [0, 1, 2, 3, 4].map((earlier) => {
    const crashes = Array.from({ length: earlier }, () => NOW);
    const result = next(state(phases.ready, { crashes }), events.exit, NOW);
    return result.phase === 'crashed' ? result.retryInMs : result.phase;
  });
  assert.deepEqual(waits, [0, 1000, 2000, 4000, 8000]);
});

test('the sixth crash within five minutes is reported as a failure', () => {
  const crashes = [1, 2, 3, 4, 5].map((minute) => minute * 1000);
  const failed = exitAt(state(phases.ready, { crashes }), FIVE_MINUTES);
  const { reason, message } = failureOf(failed);
  assert.deepEqual(
    [reason, message],
    ['crash_loop', 'The runtime crashed 6 times in 5 minutes (last: killed).'],
  );
});

test('a crash five minutes ago is forgotten', () => {
  const crashes = [0, 1, 2, 3, 4];
  const result = exitAt(state(phases.ready, { crashes }), FIVE_MINUTES);
  assert.equal(result.phase, 'crashed');
  assert.deepEqual(result.context.crashes, [1, 2, 3, 4, FIVE_MINUTES]);
});

test('two crashes in a row while loading are a failure', () => {
  const once = exitAt(state(phases.loading), NOW);
  assert.equal(once.phase, 'crashed');
  const twice = after(once, events.due, events.loading, events.exit);
  const { reason, message } = failureOf(twice);
  assert.equal(reason, 'load_crashed');
  assert.match(message, /crashed 2 times in a row .*\(last: killed\)/);
});

test('a crash after ready resets the crashes while loading', () => {
  const once = exitAt(state(phases.ready, { loadingCrashes: 1 }), NOW);
  assert.equal(once.context.loadingCrashes, 0);
});

test('two timeouts in a row while loading are a failure too', () => {
  const hung = after(state(phases.loading, { wanted: 'B', loadingCrashes: 1 }), events.due);
  const back = next(hung, events.exit, NOW);
  assert.deepEqual(toPhase(back), starting);
  assert.equal(back.context.wanted, 'A');
  const { rollback } = back.context;
  assert.match(rollback?.failure.message ?? '', /2 times in a row .*not ready after 56 s\)/);
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
