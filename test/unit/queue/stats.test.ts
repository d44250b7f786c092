import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createQueue, stopClock, TestJobs, turn } from './queue-fixture.ts';

test('the stats match the seed’s example with 3 waiting and 2 running jobs', () => {
  const jobs = new TestJobs(createQueue({ maxConcurrency: 2 }));
  jobs.submitAll('a', 'b', 'c', 'd', 'e');
  assert.deepEqual(jobs.queue.stats, {
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
  const jobs = new TestJobs(createQueue());
  let calls = 0;
  const unsubscribe = jobs.queue.onChange(() => {
    calls += 1;
  });
  jobs.submitAll('a', 'b', 'c');
  assert.equal(calls, 0);
  await turn();
  assert.equal(calls, 1);
  unsubscribe();
  await jobs.finish('a');
  assert.equal(calls, 1);
});

test('a listener may change the queue and is called again', async () => {
  const jobs = new TestJobs(createQueue());
  const seen: number[] = [];
  jobs.queue.onChange(() => {
    seen.push(jobs.queue.stats.activeRequests);
    jobs.cancel('b');
  });
  jobs.submitAll('a', 'b');
  await turn();
  assert.deepEqual(seen, [2, 1]);
});

test('listeners are called for a start, an end, new limits and a pause', async () => {
  const jobs = new TestJobs(createQueue());
  let calls = 0;
  jobs.queue.onChange(() => {
    calls += 1;
  });
  const changes = [
    () => jobs.submit('a'),
    () => jobs.finish('a'),
    () => jobs.queue.setLimits({ maxQueueSize: 1 }),
    () => jobs.queue.pause(),
    () => jobs.queue.resume(),
    () => void jobs.queue.drain(),
  ];
  for (const change of changes) {
    await change();
    await turn();
  }
  assert.equal(calls, changes.length);
});

test('the wait is estimated from recent run times, waiting jobs and the concurrency', async (t) => {
  stopClock(t);
  const jobs = new TestJobs(createQueue({ timeoutMs: 100_000 }));
  const estimates = [jobs.queue.estimatedWaitMs()];
  jobs.submitAll('a', 'b', 'c', 'd');
  t.mock.timers.tick(1000);
  estimates.push(jobs.queue.estimatedWaitMs());
  await jobs.finish('a');
  estimates.push(jobs.queue.estimatedWaitMs());
  t.mock.timers.tick(2000);
  await jobs.finish('b');
  estimates.push(jobs.queue.estimatedWaitMs());
  jobs.queue.setLimits({ maxConcurrency: 2 });
  estimates.push(jobs.queue.estimatedWaitMs());
  await jobs.finish('c');
  estimates.push(jobs.queue.estimatedWaitMs());
  assert.deepEqual(estimates, [undefined, 4000, 3000, 2400, 600, 0]);
});
