import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { RuntimeFailedError } from '../../../server/runtime/errors.ts';
import { ask, broken, never, phase, setUp } from '../../support/stub-supervisor.ts';

test('a model change waits for running work to complete', async (t) => {
  const { runtime, stubs } = await setUp(t);
  runtime.start();
  const answer = runtime.run(ask, { signal: never, mayRetry: () => true });
  const first = await stubs.at(0);
  const { id } = await first.requests.at(0);
  first.send(id, 'one ');
  const loaded = runtime.load('B');
  assert.equal(runtime.state.phase, 'draining');
  first.send(id, 'two ');
  first.answer(id, 'three');
  assert.equal(await answer, 'one two three');
  await loaded;
  await runtime.ensureReady(never);
  const models = stubs.processes.all.map(({ model }) => model);
  assert.deepEqual([models, first.requests.all.length], [['A', 'B'], 1]);
});

test('B and then C while A works: A completes, C is served, B never starts', async (t) => {
  const { runtime, stubs } = await setUp(t);
  runtime.start();
  const answer = runtime.run(ask, { signal: never });
  const first = await stubs.at(0);
  const { id } = await first.requests.at(0);
  const loaded = [runtime.load('B'), runtime.load('C')];
  first.answer(id, 'whole');
  assert.equal(await answer, 'whole');
  await Promise.all(loaded);
  await runtime.ensureReady(never);
  assert.deepEqual(
    stubs.processes.all.map(({ model }) => model),
    ['A', 'C'],
  );
});

test('work with a pause between two requests is not interrupted by a model change', async (t) => {
  const { runtime, stubs } = await setUp(t);
  runtime.start();
  const paused = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const work = runtime.run(
    async (connection, signal) => {
      const first = await ask(connection, signal, { id: 'first' });
      paused.resolve();
      await goOn.promise;
      return first + (await ask(connection, signal, { id: 'second' }));
    },
    { signal: never },
  );
  const stub = await stubs.at(0);
  stub.answer((await stub.requests.at(0)).id, 'one ');
  await paused.promise;
  const loaded = runtime.load('B');
  goOn.resolve();
  stub.answer((await stub.requests.at(1)).id, 'two');
  assert.equal(await work, 'one two');
  await loaded;
});

test('no work starts while the runtime drains', async (t) => {
  const { runtime, stubs } = await setUp(t);
  runtime.start();
  const first = runtime.run(ask, { signal: never });
  const stub = await stubs.at(0);
  const { id } = await stub.requests.at(0);
  void runtime.load('B');
  const second = runtime.run(ask, { signal: never });
  stub.answer(id, 'by A');
  const next = await stubs.at(1);
  next.answer((await next.requests.at(0)).id, 'by B');
  assert.deepEqual(await Promise.all([first, second]), ['by A', 'by B']);
  assert.equal(stub.requests.all.length, 1);
});

test('a model that cannot be loaded is rolled back, and onRollback is called', async (t) => {
  const rollbacks: unknown[] = [];
  const { runtime, stubs } = await setUp(
    t,
    { onRollback: (model, { reason, message }) => rollbacks.push([model, reason, message]) },
    broken('B'),
  );
  runtime.start();
  await runtime.ensureReady(never);
  await runtime.load('B');
  const connection = await runtime.ensureReady(never);
  assert.equal(connection.model.model, 'A');
  assert.deepEqual(rollbacks, [['A', 'model_incomplete', 'B is broken.']]);
  assert.deepEqual(
    stubs.processes.all.map(({ model }) => model),
    ['A', 'B', 'A'],
  );
});

test('a rollback also works after the runtime was unloaded', async (t) => {
  const { runtime } = await setUp(t, {}, broken('B'));
  runtime.start();
  await runtime.ensureReady(never);
  await runtime.unload();
  assert.equal(runtime.state.phase, 'unloaded');
  await runtime.load('B');
  assert.equal((await runtime.ensureReady(never)).model.model, 'A');
});

test('two broken models in a row roll back to the one that was ready', async (t) => {
  const { runtime } = await setUp(t, {}, broken('B', 'C'));
  runtime.start();
  await runtime.ensureReady(never);
  await runtime.load('B');
  await runtime.load('C');
  assert.equal((await runtime.ensureReady(never)).model.model, 'A');
});

test('if no model was ever ready, a second broken model fails with its own reason', async (t) => {
  const { runtime, stubs } = await setUp(t, {}, broken('A', 'B'));
  runtime.start();
  await assert.rejects(runtime.ensureReady(never), /A is broken/);
  await runtime.load('B');
  await assert.rejects(runtime.ensureReady(never), (error) => {
    assert.ok(error instanceof RuntimeFailedError);
    assert.deepEqual(
      [...Object.values(error.problem), error.message],
      ['model_incomplete', 'B is broken.', 'Mend it.', 'B is broken. Mend it.'],
    );
    return true;
  });
  assert.equal(stubs.count, 2);
});

test('work starts a runtime that was unloaded', async (t) => {
  const { runtime, stubs } = await setUp(t);
  runtime.start();
  await runtime.ensureReady(never);
  await runtime.unload();
  assert.equal(runtime.state.phase, 'unloaded');
  const answer = runtime.run(ask, { signal: never });
  const stub = await stubs.at(1);
  stub.answer((await stub.requests.at(0)).id, 'again');
  assert.equal(await answer, 'again');
});

test('a wait that starts during an unload starts the runtime again', async (t) => {
  const { runtime, stubs } = await setUp(t);
  runtime.start();
  await runtime.ensureReady(never);
  const unloaded = runtime.unload();
  await runtime.ensureReady(never);
  await unloaded;
  assert.equal(stubs.count, 2);
});

test('late work of an earlier process does not end the drain of a later one', async (t) => {
  const { runtime, stubs } = await setUp(t);
  runtime.start();
  const release = Promise.withResolvers<void>();
  const late = runtime.run(() => release.promise, { signal: never });
  await runtime.ensureReady(never);
  (await stubs.at(0)).kill();
  await phase(runtime, 'crashed');
  const answer = runtime.run(ask, { signal: never });
  const second = await stubs.at(1);
  const { id } = await second.requests.at(0);
  const loaded = runtime.load('B');
  release.resolve();
  await late;
  assert.equal(runtime.state.phase, 'draining');
  second.answer(id, 'whole');
  assert.equal(await answer, 'whole');
  await loaded;
});

test('memory in use is known while the runtime is ready or draining', async (t) => {
  const { runtime, stubs } = await setUp(t);
  runtime.start();
  const work = runtime.run(ask, { signal: never });
  const stub = await stubs.at(0);
  const { id } = await stub.requests.at(0);
  const changes = new EventTarget();
  runtime.onChange(() => changes.dispatchEvent(new Event('change')));
  for (const bytes of [6, 7]) {
    const changed = once(changes, 'change');
    stub.command({ do: 'say', line: { event: 'memory', memory_bytes: bytes } });
    await changed;
    const { state } = runtime;
    assert.equal('memoryBytes' in state && state.memoryBytes, bytes);
    if (bytes === 6) void runtime.load('B');
  }
  stub.answer(id, 'x');
  await work;
});
