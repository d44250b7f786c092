import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QueueFullError } from '../../../server/queue/errors.ts';
import { createQueue, Desk, turn } from './queue-fixture.ts';

test('a job beyond the queue size is refused at once', async () => {
  const desk = new Desk(createQueue({ maxQueueSize: 1 }));
  desk.submitAll('runs', 'waits', 'refused');
  await turn();
  assert.deepEqual([...desk.outcomes], [['refused', new QueueFullError(1)]]);
});

test('with a queue size of 0, a job starts at once or is refused', async () => {
  const desk = new Desk(createQueue({ maxQueueSize: 0 }));
  desk.submitAll('runs', 'refused');
  await turn();
  assert.deepEqual(desk.started, ['runs']);
  assert.deepEqual([...desk.outcomes.keys()], ['refused']);
});

test('an id that is in use is refused until its job has ended', async () => {
  const desk = new Desk(createQueue());
  desk.submit('a');
  await assert.rejects(
    desk.queue.submit(async () => {}, { id: 'a' }),
    new TypeError('A job with the id a is already in the queue.'),
  );
  await desk.finish('a');
  await desk.queue.submit(async () => {}, { id: 'a' });
});

test('raising the concurrency starts waiting jobs at once', () => {
  const desk = new Desk(createQueue());
  desk.submitAll('a', 'b', 'c', 'd');
  desk.queue.setLimits({ maxConcurrency: 3 });
  assert.deepEqual(desk.started, ['a', 'b', 'c']);
});

test('lowering the concurrency lets running jobs finish', async () => {
  const desk = new Desk(createQueue({ maxConcurrency: 3 }));
  desk.submitAll('a', 'b', 'c', 'd');
  desk.queue.setLimits({ maxConcurrency: 1 });
  await desk.finish('a', 'b');
  assert.deepEqual(desk.started, ['a', 'b', 'c']);
  await desk.finish('c');
  assert.deepEqual(desk.started, ['a', 'b', 'c', 'd']);
});

test('lowering the queue size removes no job, but refuses new ones until fewer wait', async () => {
  const desk = new Desk(createQueue());
  desk.submitAll('a', 'b', 'c');
  desk.queue.setLimits({ maxQueueSize: 1 });
  desk.submit('refused');
  await desk.finish('a', 'b');
  desk.submit('waits');
  assert.deepEqual([desk.running(), desk.waiting()], [['c'], ['waits']]);
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
