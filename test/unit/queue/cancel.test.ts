import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createQueue, TestJobs, turn } from './queue-fixture.ts';

const gone = new Error('caller gone');

test('a job aborted while waiting leaves the queue at once and never runs', async () => {
  const jobs = new TestJobs(createQueue());
  const caller = new AbortController();
  jobs.submit('a');
  jobs.submit('b', { signal: caller.signal });
  caller.abort(gone);
  assert.equal(jobs.queue.stats.queueSize, 0);
  await jobs.finish('a');
  assert.deepEqual([jobs.outcomes.get('b'), jobs.started], [gone, ['a']]);
});

test('a job aborted while running receives the reason and holds its slot until it ends', async () => {
  const jobs = new TestJobs(createQueue());
  const caller = new AbortController();
  jobs.submit('a', { signal: caller.signal });
  jobs.submit('b');
  caller.abort(gone);
  await turn();
  assert.deepEqual([jobs.outcomes.get('a'), jobs.signals.get('a')?.reason], [gone, gone]);
  assert.deepEqual([jobs.running(), jobs.waiting()], [['a'], ['b']]);
  await jobs.finish('a');
  assert.deepEqual(jobs.running(), ['b']);
});

test('a job whose signal is already aborted never runs, even if a slot is free', async () => {
  const jobs = new TestJobs(createQueue());
  jobs.submit('a', { signal: AbortSignal.abort(gone) });
  await turn();
  assert.deepEqual([jobs.outcomes.get('a'), jobs.started], [gone, []]);
});

test('an error thrown after the caller was rejected is ignored', async () => {
  const jobs = new TestJobs(createQueue());
  jobs.submit('a');
  jobs.cancel('a', gone);
  await jobs.fail('a', new Error('aborted'));
  assert.equal(jobs.outcomes.get('a'), gone);
});

test('no listener is left on the caller’s signal, however the job ends', async () => {
  const callers = Array.from({ length: 3 }, () => new AbortController());
  const countListeners = () =>
    callers.map(({ signal }) => getEventListeners(signal, 'abort').length);
  const jobs = new TestJobs(createQueue());
  for (const [index, { signal }] of callers.entries()) jobs.submit(`${index}`, { signal });
  assert.deepEqual(countListeners(), [1, 1, 1]);
  callers[2]?.abort(gone);
  await jobs.finish('0');
  await jobs.fail('1', gone);
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
