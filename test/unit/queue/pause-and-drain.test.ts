import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QueueClosedError } from '../../../server/queue/errors.ts';
import { createQueue, TestJobs, turn } from './queue-fixture.ts';

test('while paused, running jobs continue but none starts, even if a slot is free', async () => {
  const jobs = new TestJobs(createQueue({ maxConcurrency: 2 }));
  jobs.submit('a');
  jobs.queue.pause();
  jobs.submit('b');
  await jobs.finish('a');
  assert.deepEqual([jobs.outcomes.get('a'), jobs.started], ['a done', ['a']]);
  jobs.queue.resume();
  assert.deepEqual(jobs.running(), ['b']);
});

test('a drain refuses new jobs and resolves when the others have ended', async () => {
  const jobs = new TestJobs(createQueue());
  jobs.submitAll('a', 'b');
  let isDrained = false;
  void jobs.queue.drain().then(() => {
    isDrained = true;
  });
  jobs.submit('late');
  await jobs.finish('a');
  assert.deepEqual([isDrained, jobs.outcomes.get('late')], [false, new QueueClosedError()]);
  await jobs.finish('b');
  assert.equal(isDrained, true);
});

test('a drain resumes a paused queue, so that waiting jobs can end', async () => {
  const jobs = new TestJobs(createQueue());
  jobs.queue.pause();
  jobs.submit('a');
  const drained = jobs.queue.drain();
  await jobs.finish('a');
  await drained;
  assert.equal(jobs.outcomes.get('a'), 'a done');
});

test('a pause during a drain lasts until the queue is resumed', async () => {
  const jobs = new TestJobs(createQueue());
  jobs.submitAll('a', 'b');
  const drained = jobs.queue.drain();
  jobs.queue.pause();
  await jobs.finish('a');
  assert.deepEqual(jobs.waiting(), ['b']);
  jobs.queue.resume();
  await jobs.finish('b');
  await drained;
});

test('a drain waits for an aborted job that has not ended', async () => {
  const jobs = new TestJobs(createQueue());
  jobs.submit('a');
  jobs.cancel('a');
  let isDrained = false;
  void jobs.queue.drain().then(() => {
    isDrained = true;
  });
  await turn();
  assert.equal(isDrained, false);
  await jobs.finish('a');
  assert.equal(isDrained, true);
});

test('closing rejects all jobs with the reason and resolves when the slots are free', async () => {
  const jobs = new TestJobs(createQueue());
  const reason = new Error('quit');
  jobs.submitAll('a', 'b');
  let isClosed = false;
  void jobs.queue.close(reason).then(() => {
    isClosed = true;
  });
  await turn();
  assert.deepEqual(Object.fromEntries(jobs.outcomes), { a: reason, b: reason });
  assert.deepEqual([jobs.signals.get('a')?.reason, isClosed], [reason, false]);
  await jobs.finish('a');
  assert.deepEqual([isClosed, jobs.started], [true, ['a']]);
});

test('draining and closing an empty queue resolves, even repeatedly', async () => {
  const queue = createQueue();
  await queue.drain();
  await queue.drain();
  await queue.close();
});
