import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QueueFullError } from '../../../server/queue/errors.ts';
import { createQueue, Desk, turn } from './queue-fixture.ts';

test('a job that is not ready is overtaken and takes no slot', async () => {
  const desk = new Desk(createQueue());
  const images = Promise.withResolvers<void>();
  desk.submit('loading', { ready: images.promise });
  desk.submit('quick');
  assert.deepEqual(desk.started, ['quick']);
  images.resolve();
  await desk.finish('quick');
  assert.deepEqual(desk.started, ['quick', 'loading']);
});

test('a job that becomes ready starts at once if a slot is free', async () => {
  const desk = new Desk(createQueue());
  const images = Promise.withResolvers<void>();
  desk.submit('a', { ready: images.promise });
  await turn();
  assert.deepEqual(desk.running(), []);
  images.resolve();
  await turn();
  assert.deepEqual(desk.running(), ['a']);
});

test('ready jobs start in order of arrival, even if they became ready late', async () => {
  const desk = new Desk(createQueue());
  const images = Array.from({ length: 3 }, () => Promise.withResolvers<void>());
  desk.submit('runs');
  for (const [index, { promise }] of images.entries()) {
    desk.submit(`late ${index}`, { ready: promise });
    desk.submit(`early ${index}`);
  }
  for (const index of [1, 2, 0]) {
    images[index]?.resolve();
    await turn();
  }
  await desk.finishAll();
  const expected = ['runs', 'late 0', 'early 0', 'late 1', 'early 1', 'late 2', 'early 2'];
  assert.deepEqual(desk.started, expected);
});

test('a job whose `ready` rejects is rejected with that reason and never runs', async () => {
  const desk = new Desk(createQueue());
  const reason = new Error('no such image');
  desk.submit('a', { ready: Promise.reject(reason) });
  await turn();
  assert.deepEqual(
    [desk.outcomes.get('a'), desk.started, desk.queue.stats.activeRequests],
    [reason, [], 0],
  );
});

test('as many jobs may load as there are free slots and places in the queue', async () => {
  const desk = new Desk(createQueue({ maxConcurrency: 1, maxQueueSize: 1 }));
  const ready = new Promise(() => {});
  desk.submit('for the slot', { ready });
  desk.submit('to wait', { ready });
  desk.submit('one too many', { ready });
  desk.submit('ready at once');
  await turn();
  assert.deepEqual([...desk.outcomes], [['one too many', new QueueFullError(1)]]);
  assert.deepEqual(
    [desk.running(), desk.waiting()],
    [['ready at once'], ['for the slot', 'to wait']],
  );
});

test('with a queue size of 0, a job may still load for a free slot', async () => {
  const desk = new Desk(createQueue({ maxConcurrency: 1, maxQueueSize: 0 }));
  const loaded = Promise.withResolvers<void>();
  desk.submit('first', { ready: loaded.promise });
  desk.submit('second', { ready: loaded.promise });
  loaded.resolve();
  await turn();
  assert.deepEqual([...desk.outcomes], [['second', new QueueFullError(0)]]);
  assert.deepEqual(desk.running(), ['first']);
});

test('a `ready` that settles after its job has ended changes nothing', async () => {
  const desk = new Desk(createQueue());
  const [good, bad] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  desk.submit('a', { ready: good.promise });
  desk.submit('b', { ready: bad.promise });
  desk.cancel('a');
  desk.cancel('b');
  good.resolve();
  bad.reject(new Error('aborted'));
  await turn();
  assert.deepEqual([desk.started, desk.queue.stats.activeRequests], [[], 0]);
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
