import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RuntimeConnection } from '../../../server/runtime/connection.ts';
import {
  RuntimeDiedError,
  RuntimeStoppedError,
  RuntimeWaitError,
} from '../../../server/runtime/errors.ts';
import { ask, never, setUp } from '../../support/stub-supervisor.ts';

test('work runs on a ready runtime', async (t) => {
  const { runtime, stubs } = await setUp(t);
  runtime.start();
  const answer = runtime.run(ask, { signal: never });
  const stub = await stubs.at(0);
  const { id } = await stub.requests.at(0);
  stub.answer(id, 'hello');
  assert.equal(await answer, 'hello');
  const { state } = runtime;
  assert.deepEqual(
    [state.phase, state.phase === 'ready' && state.model.model, stubs.count],
    ['ready', 'A', 1],
  );
});

test('starting a running runtime does not start a second one', async (t) => {
  const { runtime, stubs } = await setUp(t);
  runtime.start();
  runtime.start();
  await runtime.ensureReady(never);
  runtime.start();
  await runtime.ensureReady(never);
  assert.equal(stubs.count, 1);
});

test('a stop rejects all waiters and ends work at once', async (t) => {
  const { runtime, stubs } = await setUp(t);
  runtime.start();
  const work = runtime.run(ask, { signal: never, mayRetry: () => true });
  const refused = assert.rejects(work, RuntimeStoppedError);
  const stub = await stubs.at(0);
  await stub.requests.at(0);
  const loaded = runtime.load('B');
  const waiting = assert.rejects(runtime.ensureReady(never), RuntimeStoppedError);
  await runtime.stop();
  await Promise.all([refused, waiting, loaded]);
  assert.deepEqual([runtime.state.phase, stubs.count], ['stopped', 1]);
  assert.throws(() => process.kill(stub.pid, 0));
});

test('a start after a stop starts the model that was chosen last', async (t) => {
  const { runtime, stubs } = await setUp(t);
  runtime.start();
  await runtime.ensureReady(never);
  const stopped = runtime.stop();
  runtime.start();
  await stopped;
  await runtime.stop();
  await runtime.load('B');
  assert.equal(runtime.state.phase, 'stopped');
  runtime.start();
  assert.equal((await runtime.ensureReady(never)).model.model, 'B');
  assert.equal(stubs.processes.all.at(-1)?.model, 'B');
});

test('a shutdown is final and can be repeated', async (t) => {
  const { runtime, stubs } = await setUp(t);
  runtime.start();
  await runtime.ensureReady(never);
  await Promise.all([runtime.shutdown(), runtime.shutdown()]);
  assert.throws(() => runtime.start(), RuntimeStoppedError);
  await runtime.load('B');
  await assert.rejects(runtime.ensureReady(never), RuntimeStoppedError);
  await assert.rejects(runtime.run(ask, { signal: never }), RuntimeStoppedError);
  assert.deepEqual([runtime.state.phase, stubs.count], ['stopped', 1]);
});

test('a wait beyond its limit fails, and a shorter one resolves', async (t) => {
  const { runtime, stubs } = await setUp(t, {}, (stub) => stub.loading());
  runtime.start();
  const patient = runtime.run(ask, { signal: never, maxWaitMs: 60_000 });
  await assert.rejects(runtime.run(ask, { signal: never, maxWaitMs: 50 }), (error) => {
    assert.ok(error instanceof RuntimeWaitError);
    assert.match(error.message, /within 0\.05 s/);
    return true;
  });
  const stub = await stubs.at(0);
  stub.ready();
  stub.answer((await stub.requests.at(0)).id, 'late');
  assert.equal(await patient, 'late');
});

test('an aborted wait rejects with the reason of its signal', async (t) => {
  const { runtime, stubs } = await setUp(t, {}, (stub) => stub.loading());
  runtime.start();
  const controller = new AbortController();
  const waiting = runtime.ensureReady(controller.signal);
  controller.abort(new Error('gone'));
  await assert.rejects(waiting, /gone/);
  await assert.rejects(runtime.ensureReady(controller.signal), /gone/);
  (await stubs.at(0)).ready();
  await runtime.ensureReady(never);
});

test('exclusive work waits for running work, and other work waits for it', async (t) => {
  const { runtime, stubs } = await setUp(t);
  runtime.start();
  const order: string[] = [];
  const work = (name: string) => async (connection: RuntimeConnection, signal: AbortSignal) => {
    order.push(`${name} begins`);
    await ask(connection, signal, { id: name });
    order.push(`${name} ends`);
  };
  const before = runtime.run(work('before'), { signal: never });
  const stub = await stubs.at(0);
  await stub.requests.at(0);
  const alone = runtime.runAlone(work('alone'), { signal: never });
  const during = runtime.run(work('during'), { signal: never });
  const secondAlone = runtime.runAlone(work('second'), { signal: never });
  await runtime.ensureReady(never); // waiting for readiness does not need a turn
  for (const [index, name] of ['before', 'alone', 'second', 'during'].entries()) {
    assert.equal((await stub.requests.at(index)).id, name);
    stub.answer(name, 'x');
  }
  await Promise.all([before, alone, during, secondAlone]);
  assert.deepEqual(
    order,
    ['before', 'alone', 'second', 'during'].flatMap((name) => [`${name} begins`, `${name} ends`]),
  );
  assert.equal(runtime.state.context.exclusive, 0);
});

test('other work continues however exclusive work ends', async (t) => {
  const { runtime, stubs } = await setUp(t);
  runtime.start();
  const fails = runtime.runAlone(() => Promise.reject(new Error('no')), { signal: never });
  await assert.rejects(fails, /no/);
  const gone = runtime.runAlone(ask, { signal: AbortSignal.abort(new Error('gone')) });
  await assert.rejects(gone, /gone/);
  const dies = assert.rejects(runtime.runAlone(ask, { signal: never }), RuntimeDiedError);
  const first = await stubs.at(0);
  await first.requests.at(0);
  first.kill();
  await dies;
  const answer = runtime.run(ask, { signal: never });
  const second = await stubs.at(1);
  second.answer((await second.requests.at(0)).id, 'yes');
  assert.equal(await answer, 'yes');
});
