import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createQueue, Desk, stopClock, turn } from './queue-fixture.ts';

test('the stats match the seed’s example with 3 waiting and 2 running jobs', () => {
  const desk = new Desk(createQueue({ maxConcurrency: 2 }));
  desk.submitAll('a', 'b', 'c', 'd', 'e');
  assert.deepEqual(desk.queue.stats, {
    running: true,
    queueSize: 3,
    maxQueueSize: 100,
    activeRequests: 5,
    maxConcurrency: 2,
    runningCount: 2,
  });
});

test('a paused or closed queue is not running', () => {
  const queue = createQueue();
  queue.pause();
  const paused = queue.stats.running;
  queue.resume();
  const resumed = queue.stats.running;
  void queue.drain();
  assert.deepEqual([paused, resumed, queue.stats.running], [false, true, false]);
});

test('listeners are called once per batch of changes until they unsubscribe', async () => {
  const desk = new Desk(createQueue());
  let calls = 0;
  const unsubscribe = desk.queue.onChange(() => {
    calls += 1;
  });
  desk.submitAll('a', 'b', 'c');
  assert.equal(calls, 0);
  await turn();
  assert.equal(calls, 1);
  unsubscribe();
  await desk.finish('a');
  assert.equal(calls, 1);
});

test('a listener may change the queue and is called again', async () => {
  const desk = new Desk(createQueue());
  const seen: number[] = [];
  desk.queue.onChange(() => {
    seen.push(desk.queue.stats.activeRequests);
    desk.cancel('b');
  });
  desk.submitAll('a', 'b');
  await turn();
  assert.deepEqual(seen, [2, 1]);
});

test('listeners are called for a start, an end, new limits and a pause', async () => {
  const desk = new Desk(createQueue());
  let calls = 0;
  desk.queue.onChange(() => {
    calls += 1;
  });
  const changes = [
    () => desk.submit('a'),
    () => desk.finish('a'),
    () => desk.queue.setLimits({ maxQueueSize: 1 }),
    () => desk.queue.pause(),
    () => desk.queue.resume(),
    () => void desk.queue.drain(),
  ];
  for (const change of changes) {
    await change();
    await turn();
  }
  assert.equal(calls, changes.length);
});

test('the wait is estimated from recent run times, waiting jobs and the concurrency', async (t) => {
  stopClock(t);
  const desk = new Desk(createQueue({ timeoutMs: 100_000 }));
  const estimates = [desk.queue.estimatedWaitMs()];
  desk.submitAll('a', 'b', 'c', 'd');
  t.mock.timers.tick(1000);
  estimates.push(desk.queue.estimatedWaitMs());
  await desk.finish('a');
  estimates.push(desk.queue.estimatedWaitMs());
  t.mock.timers.tick(2000);
  await desk.finish('b');
  estimates.push(desk.queue.estimatedWaitMs());
  desk.queue.setLimits({ maxConcurrency: 2 });
  estimates.push(desk.queue.estimatedWaitMs());
  await desk.finish('c');
  estimates.push(desk.queue.estimatedWaitMs());
  assert.deepEqual(estimates, [undefined, 4000, 3000, 2400, 600, 0]);
});
