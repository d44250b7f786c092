import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QueueFullError } from '../../../server/queue/errors.ts';
import { createQueue, TestJobs, turn } from './queue-fixture.ts';

test('a job beyond the queue size is refused at once', async () => {
  const jobs = new TestJobs(createQueue({ maxQueueSize: 1 }));
  jobs.submitAll('runs', 'waits', 'refused');
  await turn();
  assert.deepEqual([...jobs.outcomes], [['refused', new QueueFullError(1)]]);
});

test('with a queue size of 0, a job starts at once or is refused', async () => {
  const jobs = new TestJobs(createQueue({ maxQueueSize: 0 }));
  jobs.submitAll('runs', 'refused');
  await turn();
  assert.deepEqual(jobs.started, ['runs']);
  assert.deepEqual([...jobs.outcomes.keys()], ['refused']);
});

test('an id that is in use is refused until its job has ended', async () => {
  const jobs = new TestJobs(createQueue());
  jobs.submit('a');
  await assert.rejects(
    jobs.queue.submit(async () => {}, { id: 'a' }),
    new TypeError('A job with the id a is already in the queue.'),
  );
  await jobs.finish('a');
  await jobs.queue.submit(async () => {}, { id: 'a' });
});

test('raising the concurrency starts waiting jobs at once', () => {
  const jobs = new TestJobs(createQueue());
  jobs.submitAll('a', 'b', 'c', 'd');
  jobs.queue.setLimits({ maxConcurrency: 3 });
  assert.deepEqual(jobs.started, ['a', 'b', 'c']);
});

test('lowering the concurrency lets running jobs finish', async () => {
  const jobs = new TestJobs(createQueue({ maxConcurrency: 3 }));
  jobs.submitAll('a', 'b', 'c', 'd');
  jobs.queue.setLimits({ maxConcurrency: 1 });
  await jobs.finish('a', 'b');
  assert.deepEqual(jobs.started, ['a', 'b', 'c']);
  await jobs.finish('c');
  assert.deepEqual(jobs.started, ['a', 'b', 'c', 'd']);
});

test('lowering the queue size removes no job, but refuses new ones until fewer wait', async () => {
  const jobs = new TestJobs(createQueue());
  jobs.submitAll('a', 'b', 'c');
  jobs.queue.setLimits({ maxQueueSize: 1 });
  jobs.submit('refused');
  await jobs.finish('a', 'b');
  jobs.submit('waits');
  assert.deepEqual([jobs.running(), jobs.waiting()], [['c'], ['waits']]);
});

const nonsense = [
  [{ maxConcurrency: 0 }, 'Expected `maxConcurrency` to be an integer of at least 1, got 0.'],
  [{ maxConcurrency: 1.5 }, 'Expected `maxConcurrency` to be an integer of at least 1, got 1.5.'],
  [{ maxQueueSize: -1 }, 'Expected `maxQueueSize` to be an integer of at least 0, got -1.'],
  [{ timeoutMs: 0 }, 'Expected `timeoutMs` to be a finite number above 0, got 0.'],
  [{ timeoutMs: NaN }, 'Expected `timeoutMs` to be a finite number above 0, got NaN.'],
] as const;

for (const [limits, message] of nonsense) {
  test(`${Object.entries(limits)} throws a TypeError and changes nothing`, () => {
    assert.throws(() => createQueue(limits), new TypeError(message));
    const queue = createQueue();
    const before = queue.stats;
    assert.throws(() => queue.setLimits(limits), new TypeError(message));
    assert.deepEqual(queue.stats, before);
  });
}
