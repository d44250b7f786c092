import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QueueFullError } from '../../../server/queue/errors.ts';
import { createQueue, TestJobs, turn } from './queue-fixture.ts';

test('a job that is not ready is overtaken and takes no slot', async () => {
  const jobs = new TestJobs(createQueue());
  const images = Promise.withResolvers<void>();
  jobs.submit('loading', { ready: images.promise });
  jobs.submit('quick');
  assert.deepEqual(jobs.started, ['quick']);
  images.resolve();
  await jobs.finish('quick');
  assert.deepEqual(jobs.started, ['quick', 'loading']);
});

test('a job that becomes ready starts at once if a slot is free', async () => {
  const jobs = new TestJobs(createQueue());
  const images = Promise.withResolvers<void>();
  jobs.submit('a', { ready: images.promise });
  await turn();
  assert.deepEqual(jobs.running(), []);
  images.resolve();
  await turn();
  assert.deepEqual(jobs.running(), ['a']);
});

test('ready jobs start in order of arrival, even if they became ready late', async () => {
  const jobs = new TestJobs(createQueue());
  const images = Array.from({ length: 3 }, () => Promise.withResolvers<void>());
  jobs.submit('runs');
  for (const [index, { promise }] of images.entries()) {
    jobs.submit(`late ${index}`, { ready: promise });
    jobs.submit(`early ${index}`);
  }
  for (const index of [1, 2, 0]) {
    images[index]?.resolve();
    await turn();
  }
  await jobs.finishAll();
  const expected = ['runs', 'late 0', 'early 0', 'late 1', 'early 1', 'late 2', 'early 2'];
  assert.deepEqual(jobs.started, expected);
});

test('a job whose `ready` rejects is rejected with that reason and never runs', async () => {
  const jobs = new TestJobs(createQueue());
  const reason = new Error('no such image');
  jobs.submit('a', { ready: Promise.reject(reason) });
  await turn();
  assert.deepEqual(
    [jobs.outcomes.get('a'), jobs.started, jobs.queue.stats.activeRequests],
    [reason, [], 0],
  );
});

test('as many jobs may load as there are free slots and places in the queue', async () => {
  const jobs = new TestJobs(createQueue({ maxConcurrency: 1, maxQueueSize: 1 }));
  const ready = new Promise(() => {});
  jobs.submit('for the slot', { ready });
  jobs.submit('to wait', { ready });
  jobs.submit('one too many', { ready });
  jobs.submit('ready at once');
  await turn();
  assert.deepEqual([...jobs.outcomes], [['one too many', new QueueFullError(1)]]);
  assert.deepEqual(
    [jobs.running(), jobs.waiting()],
    [['ready at once'], ['for the slot', 'to wait']],
  );
});

test('with a queue size of 0, a job may still load for a free slot', async () => {
  const jobs = new TestJobs(createQueue({ maxConcurrency: 1, maxQueueSize: 0 }));
  const loaded = Promise.withResolvers<void>();
  jobs.submit('first', { ready: loaded.promise });
  jobs.submit('second', { ready: loaded.promise });
  loaded.resolve();
  await turn();
  assert.deepEqual([...jobs.outcomes], [['second', new QueueFullError(0)]]);
  assert.deepEqual(jobs.running(), ['first']);
});

test('a `ready` that settles after its job has ended changes nothing', async () => {
  const jobs = new TestJobs(createQueue());
  const [good, bad] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  jobs.submit('a', { ready: good.promise });
  jobs.submit('b', { ready: bad.promise });
  jobs.cancel('a');
  jobs.cancel('b');
  good.resolve();
  bad.reject(new Error('aborted'));
  await turn();
  assert.deepEqual([jobs.started, jobs.queue.stats.activeRequests], [[], 0]);
});

test('a refused job’s rejected `ready` is not an unhandled rejection', async () => {
  const queue = createQueue();
  await queue.drain();
  const ready = Promise.reject(new Error('aborted'));
  await assert.rejects(queue.submit(async () => {}, { id: 'a', ready }));
  await turn();
});

test('`ready` is called only for admitted jobs', async () => {
  const queue = createQueue({ maxConcurrency: 1, maxQueueSize: 1 });
  const called: string[] = [];
  const gate = Promise.withResolvers<void>();
  const submit = (id: string) =>
    queue.submit(() => gate.promise, {
      id,
      ready: async () => {
        called.push(id);
      },
    });
  const first = submit('runs');
  await turn();
  const second = submit('waits');
  await assert.rejects(submit('refused'), QueueFullError);
  gate.resolve();
  await Promise.all([first, second]);
  assert.deepEqual(called, ['runs', 'waits']);
});
