import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QueueFullError } from '../../../server/queue/queue-errors.ts';
import { createQueue, Desk, turn } from './queue-fixture.ts';

test('a job that is not ready is passed over, and takes no slot', async () => {
  const desk = new Desk(createQueue());
  const images = Promise.withResolvers<void>();
  desk.submit('loading', { ready: images.promise });
  desk.submit('quick');
  assert.deepEqual(desk.started, ['quick']);
  images.resolve();
  await desk.finish('quick');
  assert.deepEqual(desk.started, ['quick', 'loading']);
});

test('a job that becomes ready starts at once when a slot is free', async () => {
  const desk = new Desk(createQueue());
  const images = Promise.withResolvers<void>();
  desk.submit('a', { ready: images.promise });
  await turn();
  assert.deepEqual(desk.running(), []);
  images.resolve();
  await turn();
  assert.deepEqual(desk.running(), ['a']);
});

test('jobs that become ready late start in order of arrival among the ready', async () => {
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

test('a job whose `ready` fails leaves the line with that reason and never runs', async () => {
  const desk = new Desk(createQueue());
  const reason = new Error('no such image');
  desk.submit('a', { ready: Promise.reject(reason) });
  await turn();
  assert.deepEqual(
    [desk.outcomes.get('a'), desk.started, desk.queue.stats.activeRequests],
    [reason, [], 0],
  );
});

test('jobs that are not ready count as waiting, though a slot is free', async () => {
  const desk = new Desk(createQueue({ maxQueueSize: 1 }));
  const ready = new Promise(() => {});
  desk.submit('loading', { ready });
  desk.submit('refused', { ready });
  desk.submit('starts');
  await turn();
  assert.deepEqual([...desk.outcomes], [['refused', new QueueFullError(1)]]);
  assert.deepEqual([desk.running(), desk.waiting()], [['starts'], ['loading']]);
});

test('a `ready` that settles after its job has gone changes nothing', async () => {
  const desk = new Desk(createQueue());
  const [good, bad] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  desk.submit('a', { ready: good.promise });
  desk.submit('b', { ready: bad.promise });
  desk.queue.cancel('a');
  desk.queue.cancel('b');
  good.resolve();
  bad.reject(new Error('aborted'));
  await turn();
  assert.deepEqual([desk.started, desk.queue.stats.activeRequests], [[], 0]);
});

test('the failed `ready` of a refused job is no unhandled rejection', async () => {
  const queue = createQueue();
  await queue.drain();
  const ready = Promise.reject(new Error('aborted'));
  await assert.rejects(queue.submit(async () => {}, { id: 'a', ready }));
  await turn();
});
