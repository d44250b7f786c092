import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RuntimeState } from '../../../server/runtime/state.ts';
import { next } from '../../../server/runtime/transitions.ts';
import {
  after,
  context,
  events,
  failure,
  loadB,
  NOW,
  phases,
  starting,
  state,
  stopping,
  to,
  toPhase,
} from './runtime-phases.ts';

const FIVE_MINUTES = 300_000;

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
