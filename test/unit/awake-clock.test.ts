import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AwakeClock, startTimer } from '../../server/awake-clock.ts';
import { QueueTimeoutError } from '../../server/queue/errors.ts';
import { RequestQueue } from '../../server/queue/request-queue.ts';

import { stopClock, TestJobs, turn } from './queue/queue-fixture.ts';

test('the clock stops from sleep to wake, even if they are reported repeatedly', (t) => {
  stopClock(t);
  const clock = new AwakeClock();
  const begin = clock.now();
  const passed = () => clock.now() - begin;
  t.mock.timers.tick(100);
  clock.sleep();
  t.mock.timers.tick(50);
  clock.sleep();
  t.mock.timers.tick(50);
  assert.equal(passed(), 100);
  clock.wake();
  clock.wake();
  t.mock.timers.tick(10);
  assert.equal(passed(), 110);
});

test('a deadline does not expire during sleep or when its timer fires on waking', async (t) => {
  stopClock(t);
  const clock = new AwakeClock();
  const limits = { maxConcurrency: 1, maxQueueSize: 9, timeoutMs: 1000, policy: 'fifo' as const };
  const jobs = new TestJobs(new RequestQueue(limits, clock.now));
  jobs.submitAll('running', 'waiting');
  t.mock.timers.tick(900);
  clock.sleep();
  t.mock.timers.tick(3_600_000); // the timer fires before the system reports that it woke up
  clock.wake();
  t.mock.timers.tick(99);
  await turn();
  assert.equal(jobs.outcomes.size, 0);
  t.mock.timers.tick(101);
  await turn();
  assert.ok(jobs.outcomes.get('waiting') instanceof QueueTimeoutError);
});

test('a timer waits while its clock is stopped, and can be cancelled', (t) => {
  stopClock(t);
  const clock = new AwakeClock();
  const passed: string[] = [];
  startTimer(1000, clock.now, () => passed.push('first'));
  const stop = startTimer(1000, clock.now, () => passed.push('stopped'));
  startTimer(-5, clock.now, () => passed.push('due already'));
  t.mock.timers.tick(999);
  assert.deepEqual(passed, ['due already']);
  clock.sleep();
  t.mock.timers.tick(3_600_000);
  clock.wake();
  stop();
  assert.deepEqual(passed, ['due already']);
  t.mock.timers.tick(1);
  assert.deepEqual(passed, ['due already', 'first']);
});

test('a timer may be longer than Node’s longest timer', (t) => {
  stopClock(t);
  let isPassed = false;
  const month = 31 * 24 * 3_600_000;
  const delays: number[] = [];
  const setTimer = globalThis.setTimeout;
  t.mock.method(globalThis, 'setTimeout', (check: () => void, ms: number) => {
    delays.push(ms);
    return setTimer(check, ms);
  });
  startTimer(
    month,
    () => performance.now(),
    () => {
      isPassed = true;
    },
  );
  t.mock.timers.tick(2 ** 31 - 1);
  t.mock.timers.tick(month - 2 ** 31);
  assert.equal(isPassed, false);
  t.mock.timers.tick(1);
  assert.equal(isPassed, true);
  assert.deepEqual(delays, [2 ** 31 - 1, month - (2 ** 31 - 1)]); // Node fires longer ones at once
});
