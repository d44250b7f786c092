import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createQueue, TestJobs, turn } from './queue-fixture.ts';

test('jobs start in order of arrival, up to the concurrency', async () => {
  const jobs = new TestJobs(createQueue({ maxConcurrency: 2 }));
  jobs.submitAll('a', 'b', 'c', 'd');
  assert.deepEqual(jobs.started, ['a', 'b']);
  await jobs.finish('b', 'a');
  assert.deepEqual(jobs.started, ['a', 'b', 'c', 'd']);
});

test('the promise settles with the job’s value or error', async () => {
  const jobs = new TestJobs(createQueue());
  const reason = new Error('no');
  jobs.submitAll('a', 'b');
  await jobs.finish('a');
  await jobs.fail('b', reason);
  assert.deepEqual([...jobs.outcomes.values()], ['a done', reason]);
});

test('a job that throws synchronously rejects and frees its slot', async () => {
  const queue = createQueue();
  const reason = new Error('thrown');
  const broken = () => {
    throw reason;
  };
  await assert.rejects(queue.submit(broken, { id: 'a' }), reason);
  assert.equal(await queue.submit(async () => 'next', { id: 'b' }), 'next');
});

test('the slot is free by the time the promise settles', async () => {
  const queue = createQueue({ maxQueueSize: 0 });
  for (const id of ['a', 'b', 'c']) {
    assert.equal(await queue.submit(async () => id, { id }), id);
  }
});

test('a job submitted by a starting job does not overtake waiting ones', async () => {
  const queue = createQueue({ maxConcurrency: 3 });
  const started: string[] = [];
  const note = (id: string) => async () => void started.push(id);
  queue.pause();
  const nested = () => {
    started.push('a');
    return queue.submit(note('nested'), { id: 'nested' });
  };
  const all = [queue.submit(nested, { id: 'a' }), queue.submit(note('b'), { id: 'b' })];
  queue.resume();
  await Promise.all(all);
  assert.deepEqual(started, ['a', 'b', 'nested']);
});

test('a hundred thousand waiting jobs start in order or leave', async () => {
  const queue = createQueue({ maxQueueSize: 100_000 });
  const ended: number[] = [];
  const callers = Array.from({ length: 100_000 }, () => new AbortController());
  queue.pause();
  const all = callers.map(({ signal }, index) =>
    queue.submit(async () => void ended.push(index), { id: `${index}`, signal }).catch(() => {}),
  );
  for (let index = 0; index < 100_000; index += 2) callers[index]?.abort();
  queue.resume();
  await Promise.all(all);
  assert.deepEqual(
    ended,
    Array.from({ length: 50_000 }, (_, index) => 2 * index + 1),
  );
  await turn();
  assert.equal(queue.stats.activeRequests, 0);
});
