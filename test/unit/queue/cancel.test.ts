import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createQueue, Desk, turn } from './queue-fixture.ts';

const gone = new Error('caller gone');

test('a job aborted while waiting leaves the queue at once and never runs', async () => {
  const desk = new Desk(createQueue());
  const caller = new AbortController();
  desk.submit('a');
  desk.submit('b', { signal: caller.signal });
  caller.abort(gone);
  assert.equal(desk.queue.stats.queueSize, 0);
  await desk.finish('a');
  assert.deepEqual([desk.outcomes.get('b'), desk.started], [gone, ['a']]);
});

test('a job aborted while running receives the reason and holds its slot until it ends', async () => {
  const desk = new Desk(createQueue());
  const caller = new AbortController();
  desk.submit('a', { signal: caller.signal });
  desk.submit('b');
  caller.abort(gone);
  await turn();
  assert.deepEqual([desk.outcomes.get('a'), desk.signals.get('a')?.reason], [gone, gone]);
  assert.deepEqual([desk.running(), desk.waiting()], [['a'], ['b']]);
  await desk.finish('a');
  assert.deepEqual(desk.running(), ['b']);
});

test('a job whose signal is already aborted never runs, even if a slot is free', async () => {
  const desk = new Desk(createQueue());
  desk.submit('a', { signal: AbortSignal.abort(gone) });
  await turn();
  assert.deepEqual([desk.outcomes.get('a'), desk.started], [gone, []]);
});

test('an error thrown after the caller was rejected is ignored', async () => {
  const desk = new Desk(createQueue());
  desk.submit('a');
  desk.cancel('a', gone);
  await desk.fail('a', new Error('aborted'));
  assert.equal(desk.outcomes.get('a'), gone);
});

test('no listener is left on the caller’s signal, however the job ends', async () => {
  const callers = Array.from({ length: 3 }, () => new AbortController());
  const countListeners = () =>
    callers.map(({ signal }) => getEventListeners(signal, 'abort').length);
  const desk = new Desk(createQueue());
  for (const [index, { signal }] of callers.entries()) desk.submit(`${index}`, { signal });
  assert.deepEqual(countListeners(), [1, 1, 1]);
  callers[2]?.abort(gone);
  await desk.finish('0');
  await desk.fail('1', gone);
  assert.deepEqual(countListeners(), [0, 0, 0]);
});

test('an ended job can be garbage collected although its `ready` never settles', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const queue = createQueue();
  const never = new Promise(() => {});
  const caller = new AbortController();
  function submitOne(id: string, ready?: Promise<unknown>): WeakRef<object> {
    const payload = { id };
    const work = async () => void payload.id;
    const options = ready ? { id, ready, signal: caller.signal } : { id };
    queue.submit(work, options).catch(() => {});
    return new WeakRef(payload);
  }
  const payloads = [submitOne('run'), submitOne('cancelled', never)];
  caller.abort(gone);
  await turn();
  collect();
  assert.deepEqual(
    payloads.map((payload) => payload.deref()),
    [undefined, undefined],
  );
  await Promise.race([never, turn()]);
});
