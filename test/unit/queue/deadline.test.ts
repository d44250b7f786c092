import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QueueTimeoutError } from '../../../server/queue/errors.ts';
import { createQueue, Desk, stopClock, turn } from './queue-fixture.ts';

test('a job whose deadline passes while it waits never runs', async (t) => {
  stopClock(t);
  const desk = new Desk(createQueue({ timeoutMs: 1000 }));
  desk.submitAll('a', 'b');
  t.mock.timers.tick(1000);
  await turn();
  assert.deepEqual(desk.outcomes.get('b'), new QueueTimeoutError(1000, 1000));
  await desk.finish('a');
  assert.deepEqual(desk.started, ['a']);
});

test('the deadline covers waiting and running, and the error says how long the job waited', async (t) => {
  stopClock(t);
  const desk = new Desk(createQueue({ timeoutMs: 1000 }));
  desk.submit('a');
  desk.submit('b');
  t.mock.timers.tick(600);
  await desk.finish('a');
  t.mock.timers.tick(400);
  await turn();
  assert.deepEqual(desk.outcomes.get('b'), new QueueTimeoutError(1000, 600));
});

test('a running job is aborted with the timeout error and holds its slot until it ends', async (t) => {
  stopClock(t);
  const desk = new Desk(createQueue({ timeoutMs: 1000 }));
  desk.submit('slow');
  t.mock.timers.tick(500);
  desk.submit('next');
  t.mock.timers.tick(500);
  await turn();
  assert.equal(desk.signals.get('slow')?.reason, desk.outcomes.get('slow'));
  assert.deepEqual([desk.running(), desk.waiting()], [['slow'], ['next']]);
  await desk.fail('slow', new Error('stopped'));
  assert.deepEqual([desk.running(), desk.waiting()], [['next'], []]);
});

test('if a job ends and its deadline passes at the same time, the first event wins', async (t) => {
  stopClock(t);
  const desk = new Desk(createQueue({ timeoutMs: 1000, maxConcurrency: 2 }));
  desk.submitAll('before', 'after');
  t.mock.timers.tick(999);
  await desk.finish('before');
  t.mock.timers.tick(1);
  await desk.finish('after');
  assert.deepEqual([...desk.outcomes.values()], ['before done', new QueueTimeoutError(1000, 0)]);
});

test('a new timeout applies to later jobs only', async (t) => {
  stopClock(t);
  const desk = new Desk(createQueue({ timeoutMs: 1000, maxConcurrency: 2 }));
  desk.submit('old');
  desk.queue.setLimits({ timeoutMs: 100 });
  desk.submit('new');
  t.mock.timers.tick(100);
  await turn();
  assert.deepEqual([...desk.outcomes.keys()], ['new']);
  t.mock.timers.tick(900);
  await turn();
  assert.deepEqual([...desk.outcomes.keys()], ['new', 'old']);
});

test('a deadline may be longer than Node’s longest timer', async (t) => {
  const timeoutMs = 2 ** 31 + 5000;
  stopClock(t);
  const desk = new Desk(createQueue({ timeoutMs }));
  desk.submit('a');
  t.mock.timers.tick(2 ** 31 - 1);
  t.mock.timers.tick(5000);
  await turn();
  assert.equal(desk.outcomes.size, 0);
  t.mock.timers.tick(1);
  await turn();
  assert.deepEqual(desk.outcomes.get('a'), new QueueTimeoutError(timeoutMs, 0));
});

test('a job submitted while a deadline expires has its own deadline', async (t) => {
  stopClock(t);
  const desk = new Desk(createQueue({ timeoutMs: 1000, maxConcurrency: 2 }));
  desk.submit('a');
  desk.signals.get('a')?.addEventListener('abort', () => desk.submit('b'));
  t.mock.timers.tick(1000);
  t.mock.timers.tick(999);
  await turn();
  assert.deepEqual([...desk.outcomes.keys()], ['a']);
  t.mock.timers.tick(1);
  await turn();
  assert.deepEqual([...desk.outcomes.keys()], ['a', 'b']);
});

test('no timer is left when all jobs have ended', async () => {
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = timers();
  const desk = new Desk(createQueue());
  desk.submitAll('a', 'b');
  assert.equal(timers(), before + 2);
  desk.cancel('b');
  await desk.finish('a');
  assert.equal(timers(), before);
});
