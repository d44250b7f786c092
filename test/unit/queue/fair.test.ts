import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createQueue, TestJobs } from './queue-fixture.ts';

function submitFor(jobs: TestJobs, client: string, count: number): void {
  for (let index = 1; index <= count; index += 1) jobs.submit(`${client}${index}`, { client });
}

test('clients take turns, each in its own order of arrival', async () => {
  const jobs = new TestJobs(createQueue({ policy: 'fair' }));
  submitFor(jobs, 'a', 4);
  submitFor(jobs, 'b', 2);
  submitFor(jobs, 'c', 1);
  await jobs.finishAll();
  assert.deepEqual(jobs.started, ['a1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4']);
});

test('a client with 80 waiting jobs delays another client by one job', async () => {
  const jobs = new TestJobs(createQueue({ policy: 'fair' }));
  submitFor(jobs, 'agent', 81);
  jobs.submit('person', { client: 'person' });
  await jobs.finish('agent1', 'agent2');
  assert.deepEqual(jobs.running(), ['person']);
});

test('a client without a ready job does not get a turn', async () => {
  const jobs = new TestJobs(createQueue({ policy: 'fair' }));
  submitFor(jobs, 'a', 3);
  jobs.submit('b1', { client: 'b', ready: new Promise(() => {}) });
  jobs.submit('c1', { client: 'c' });
  jobs.cancel('c1');
  await jobs.finish('a1', 'a2');
  assert.deepEqual(jobs.running(), ['a3']);
});

test('a new policy reorders the waiting jobs and loses none', async () => {
  const jobs = new TestJobs(createQueue({ policy: 'fifo' }));
  submitFor(jobs, 'a', 4);
  submitFor(jobs, 'b', 2);
  jobs.queue.setLimits({ policy: 'fair' });
  await jobs.finish('a1', 'a2');
  assert.deepEqual(jobs.running(), ['b1']);
  jobs.queue.setLimits({ policy: 'fifo' });
  await jobs.finishAll();
  assert.deepEqual(jobs.started, ['a1', 'a2', 'b1', 'a3', 'a4', 'b2']);
});
