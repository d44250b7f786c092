import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QueueTimeoutError } from '../../../server/queue/errors.ts';
import { createQueue, stopClock, TestJobs, turn } from './queue-fixture.ts';

test('a job whose deadline passes while it waits never runs', async (t) => {
  stopClock(t);
  const jobs = new TestJobs(createQueue({ timeoutMs: 1000 }));
  jobs.submitAll('a', 'b');
  t.mock.timers.tick(1000);
  await turn();
  assert.deepEqual(jobs.outcomes.get('b'), new QueueTimeoutError(1000, 1000));
  await jobs.finish('a');
  assert.deepEqual(jobs.started, ['a']);
});

test('the deadline covers waiting and running, and the error says how long the job waited', async (t) => {
  stopClock(t);
  const jobs = new TestJobs(createQueue({ timeoutMs: 1000 }));
  jobs.submit('a');
  jobs.submit('b');
  t.mock.timers.tick(600);
  await jobs.finish('a');
  t.mock.timers.tick(400);
  await turn();
  assert.deepEqual(jobs.outcomes.get('b'), new QueueTimeoutError(1000, 600));
});

test('a running job is aborted with the timeout error and holds its slot until it ends', async (t) => {
  stopClock(t);
  const jobs = new TestJobs(createQueue({ timeoutMs: 1000 }));
  jobs.submit('slow');
  t.mock.timers.tick(500);
  jobs.submit('next');
  t.mock.timers.tick(500);
  await turn();
  assert.equal(jobs.signals.get('slow')?.reason, jobs.outcomes.get('slow'));
  assert.deepEqual([jobs.running(), jobs.waiting()], [['slow'], ['next']]);
  await jobs.fail('slow', new Error('stopped'));
  assert.deepEqual([jobs.running(), jobs.waiting()], [['next'], []]);
});

test('if a job ends and its deadline passes at the same time, the first event wins', async (t) => {
  stopClock(t);
  const jobs = new TestJobs(createQueue({ timeoutMs: 1000, maxConcurrency: 2 }));
  jobs.submitAll('before', 'after');
  t.mock.timers.tick(999);
  await jobs.finish('before');
  t.mock.timers.tick(1);
  await jobs.finish('after');
  assert.deepEqual([...jobs.outcomes.values()], ['before done', new QueueTimeoutError(1000, 0)]);
});

test('a new timeout applies to later jobs only', async (t) => {
  stopClock(t);
  const jobs = new TestJobs(createQueue({ timeoutMs: 1000, maxConcurrency: 2 }));
  jobs.submit('old');
  jobs.queue.setLimits({ timeoutMs: 100 });
  jobs.submit('new');
  t.mock.timers.tick(100);
  await turn();
  assert.deepEqual([...jobs.outcomes.keys()], ['new']);
  t.mock.timers.tick(900);
  await turn();
  assert.deepEqual([...jobs.outcomes.keys()], ['new', 'old']);
});

test('a deadline may be longer than Node’s longest timer', async (t) => {
  const timeoutMs = 2 ** 31 + 5000;
  stopClock(t);
  const jobs = new TestJobs(createQueue({ timeoutMs }));
  jobs.submit('a');
  t.mock.timers.tick(2 ** 31 - 1);
  t.mock.timers.tick(5000);
  await turn();
  assert.equal(jobs.outcomes.size, 0);
  t.mock.timers.tick(1);
  await turn();
  assert.deepEqual(jobs.outcomes.get('a'), new QueueTimeoutError(timeoutMs, 0));
});

test('a job submitted while a deadline expires has its own deadline', async (t) => {
  stopClock(t);
  const jobs = new TestJobs(createQueue({ timeoutMs: 1000, maxConcurrency: 2 }));
  jobs.submit('a');
  jobs.signals.get('a')?.addEventListener('abort', () => jobs.submit('b'));
  t.mock.timers.tick(1000);
  t.mock.timers.tick(999);
  await turn();
  assert.deepEqual([...jobs.outcomes.keys()], ['a']);
  t.mock.timers.tick(1);
  await turn();
  assert.deepEqual([...jobs.outcomes.keys()], ['a', 'b']);
});

test('no timer is left when all jobs have ended', async () => {
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = timers();
  const jobs = new TestJobs(createQueue());
  jobs.submitAll('a', 'b');
  assert.equal(timers(), before + 1);
  jobs.cancel('b');
  await jobs.finish('a');
  assert.equal(timers(), before);
});
