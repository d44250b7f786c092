import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { JobCancelledError } from '../../../server/queue/errors.ts';
import { createQueue, Desk, turn } from './queue-fixture.ts';

const gone = new Error('caller gone');

test('a job whose caller goes while it waits leaves the line at once and never runs', async () => {
  const desk = new Desk(createQueue());
  const caller = new AbortController();
  desk.submit('a');
  desk.submit('b', { signal: caller.signal });
  caller.abort(gone);
  assert.deepEqual(desk.waiting(), []);
  await desk.finish('a');
  assert.deepEqual([desk.outcomes.get('b'), desk.started], [gone, ['a']]);
});

test('a job whose caller goes while it runs is told why, and holds its slot until it ends', async () => {
  const desk = new Desk(createQueue());
  const caller = new AbortController();
  desk.submit('a', { signal: caller.signal });
  desk.submit('b');
  caller.abort(gone);
  await turn();
  assert.deepEqual([desk.outcomes.get('a'), desk.signals.get('a')?.reason], [gone, gone]);
  assert.deepEqual([desk.running(), desk.waiting()], [['a'], ['b']]);
  await desk.finish('a');
  assert.deepEqual(desk.running(), ['b']);
});

test('a job whose caller has gone before it came never runs, even if its slot is free', async () => {
  const desk = new Desk(createQueue());
  desk.submit('a', { signal: AbortSignal.abort(gone) });
  await turn();
  assert.deepEqual([desk.outcomes.get('a'), desk.started], [gone, []]);
});

test('a cancelled job rejects with JobCancelledError, waiting or running', async () => {
  const desk = new Desk(createQueue());
  desk.submitAll('a', 'b');
  assert.equal(desk.queue.cancel('a', 'by hand'), true);
  assert.equal(desk.queue.cancel('b'), true);
  await turn();
  assert.deepEqual(
    [...desk.outcomes],
    [
      ['a', new JobCancelledError('a', 'by hand')],
      ['b', new JobCancelledError('b')],
    ],
  );
});

test('only a job that has not ended for its caller can be cancelled', async () => {
  const desk = new Desk(createQueue());
  desk.submit('a');
  const first = desk.queue.cancel('a');
  const whileItStops = desk.queue.cancel('a');
  assert.deepEqual([first, whileItStops, desk.queue.cancel('unknown')], [true, false, false]);
});

test('what work throws after its caller was told is swallowed', async () => {
  const desk = new Desk(createQueue());
  desk.submit('a');
  desk.queue.cancel('a');
  await desk.fail('a', new Error('aborted'));
  assert.deepEqual(desk.outcomes.get('a'), new JobCancelledError('a'));
});

test('no listener stays on the caller’s signal, however the job ends', async () => {
  const { signal } = new AbortController();
  const desk = new Desk(createQueue());
  for (const id of ['finished', 'failed', 'cancelled']) desk.submit(id, { signal });
  assert.equal(getEventListeners(signal, 'abort').length, 3);
  desk.queue.cancel('cancelled');
  await desk.finish('finished');
  await desk.fail('failed', gone);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});

test('an ended job leaves nothing behind, though its `ready` never settles', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const queue = createQueue();
  const never = new Promise(() => {});
  function submitOne(id: string, ready?: Promise<unknown>): WeakRef<object> {
    const payload = { id };
    const work = async () => void payload.id;
    queue.submit(work, ready ? { id, ready } : { id }).catch(() => {});
    return new WeakRef(payload);
  }
  const payloads = [submitOne('run'), submitOne('cancelled', never)];
  queue.cancel('cancelled');
  await turn();
  collect();
  assert.deepEqual(
    payloads.map((payload) => payload.deref()),
    [undefined, undefined],
  );
  await Promise.race([never, turn()]);
});
