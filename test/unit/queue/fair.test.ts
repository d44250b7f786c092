import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createQueue, Desk } from './queue-fixture.ts';

function submitFor(desk: Desk, client: string, count: number): void {
  for (let index = 1; index <= count; index += 1) desk.submit(`${client}${index}`, { client });
}

test('clients take turns, each in its own order of arrival', async () => {
  const desk = new Desk(createQueue({ policy: 'fair' }));
  submitFor(desk, 'a', 4);
  submitFor(desk, 'b', 2);
  submitFor(desk, 'c', 1);
  await desk.finishAll();
  assert.deepEqual(desk.started, ['a1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4']);
});

test('a client with 80 waiting jobs delays another client by one job', async () => {
  const desk = new Desk(createQueue({ policy: 'fair' }));
  submitFor(desk, 'agent', 81);
  desk.submit('person', { client: 'person' });
  await desk.finish('agent1', 'agent2');
  assert.deepEqual(desk.running(), ['person']);
});

test('a client without a ready job does not get a turn', async () => {
  const desk = new Desk(createQueue({ policy: 'fair' }));
  submitFor(desk, 'a', 3);
  desk.submit('b1', { client: 'b', ready: new Promise(() => {}) });
  desk.submit('c1', { client: 'c' });
  desk.cancel('c1');
  await desk.finish('a1', 'a2');
  assert.deepEqual(desk.running(), ['a3']);
});

test('a new policy reorders the waiting jobs and loses none', async () => {
  const desk = new Desk(createQueue({ policy: 'fifo' }));
  submitFor(desk, 'a', 4);
  submitFor(desk, 'b', 2);
  desk.queue.setLimits({ policy: 'fair' });
  await desk.finish('a1', 'a2');
  assert.deepEqual(desk.running(), ['b1']);
  desk.queue.setLimits({ policy: 'fifo' });
  await desk.finishAll();
  assert.deepEqual(desk.started, ['a1', 'a2', 'b1', 'a3', 'a4', 'b2']);
});
