import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QueueClosedError } from '../../../server/queue/errors.ts';
import { createQueue, Desk, turn } from './queue-fixture.ts';

test('while paused, running jobs continue but none starts, even if a slot is free', async () => {
  const desk = new Desk(createQueue({ maxConcurrency: 2 }));
  desk.submit('a');
  desk.queue.pause();
  desk.submit('b');
  await desk.finish('a');
  assert.deepEqual([desk.outcomes.get('a'), desk.started], ['a done', ['a']]);
  desk.queue.resume();
  assert.deepEqual(desk.running(), ['b']);
});

test('a drain refuses new jobs and resolves when the others have ended', async () => {
  const desk = new Desk(createQueue());
  desk.submitAll('a', 'b');
  let isDrained = false;
  void desk.queue.drain().then(() => {
    isDrained = true;
  });
  desk.submit('late');
  await desk.finish('a');
  assert.deepEqual([isDrained, desk.outcomes.get('late')], [false, new QueueClosedError()]);
  await desk.finish('b');
  assert.equal(isDrained, true);
});

test('a drain resumes a paused queue, so that waiting jobs can end', async () => {
  const desk = new Desk(createQueue());
  desk.queue.pause();
  desk.submit('a');
  const drained = desk.queue.drain();
  await desk.finish('a');
  await drained;
  assert.equal(desk.outcomes.get('a'), 'a done');
});

test('a pause during a drain lasts until the queue is resumed', async () => {
  const desk = new Desk(createQueue());
  desk.submitAll('a', 'b');
  const drained = desk.queue.drain();
  desk.queue.pause();
  await desk.finish('a');
  assert.deepEqual(desk.waiting(), ['b']);
  desk.queue.resume();
  await desk.finish('b');
  await drained;
});

test('a drain waits for an aborted job that has not ended', async () => {
  const desk = new Desk(createQueue());
  desk.submit('a');
  desk.cancel('a');
  let isDrained = false;
  void desk.queue.drain().then(() => {
    isDrained = true;
  });
  await turn();
  assert.equal(isDrained, false);
  await desk.finish('a');
  assert.equal(isDrained, true);
});

test('closing rejects all jobs with the reason and resolves when the slots are free', async () => {
  const desk = new Desk(createQueue());
  const reason = new Error('quit');
  desk.submitAll('a', 'b');
  let isClosed = false;
  void desk.queue.close(reason).then(() => {
    isClosed = true;
  });
  await turn();
  assert.deepEqual(Object.fromEntries(desk.outcomes), { a: reason, b: reason });
  assert.deepEqual([desk.signals.get('a')?.reason, isClosed], [reason, false]);
  await desk.finish('a');
  assert.deepEqual([isClosed, desk.started], [true, ['a']]);
});

test('draining and closing an empty queue resolves, even repeatedly', async () => {
  const queue = createQueue();
  await queue.drain();
  await queue.drain();
  await queue.close();
});
