import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { mock, test } from 'node:test';
import { RuntimeFailedError } from '../../../server/runtime/errors.ts';
import { ask, never, phase, setUp } from '../../support/stub-supervisor.ts';

test('a stopping process that reports ready gets no work', async (t) => {
  const { runtime, stubs } = await setUp(t, {}, (stub, { count }) =>
    count === 1 ? stub.command({ do: 'ignore SIGTERM' }) : stub.ready(),
  );
  runtime.start();
  const first = await stubs.at(0);
  first.loading();
  await phase(runtime, 'loading');
  const loaded = runtime.load('B');
  await first.terms.at(0);
  const connected = runtime.ensureReady(never);
  first.ready();
  first.command({ do: 'exit', code: 0 });
  await loaded;
  assert.equal((await connected).model.model, 'B');
});

test('a process that ignores SIGTERM is killed before the next one starts', async (t) => {
  const { runtime, stubs } = await setUp(t);
  runtime.start();
  await runtime.ensureReady(never);
  const first = await stubs.at(0);
  first.command({ do: 'ignore SIGTERM' });
  const startedAt = performance.now();
  await runtime.restart();
  assert.throws(() => process.kill(first.pid, 0), 'it is gone');
  assert.ok(performance.now() - startedAt > 4500);
  assert.equal((await runtime.ensureReady(never)).model.model, 'A');
});

test('a runtime that hangs is killed, and its work is retried on the next one', async (t) => {
  const { runtime, stubs } = await setUp(t, { hangTimeoutMs: 200 });
  runtime.start();
  const answer = runtime.run(ask, { signal: never, mayRetry: () => true });
  const first = await stubs.at(0);
  first.command({ do: 'stall' });
  await first.requests.at(0);
  await phase(runtime, 'crashed');
  assert.deepEqual(
    runtime.state.phase === 'crashed' && runtime.state.reason,
    'it made no progress',
  );
  const second = await stubs.at(1);
  second.answer((await second.requests.at(0)).id, 'whole');
  assert.equal(await answer, 'whole');
});

test('steps without tokens are not a hang', async (t) => {
  const { runtime, stubs } = await setUp(t, { hangTimeoutMs: 600 });
  runtime.start();
  const answer = runtime.run(ask, { signal: never });
  const stub = await stubs.at(0);
  const { id } = await stub.requests.at(0);
  await stub.probes.at(4); // 1.5 s
  stub.answer(id, 'late');
  assert.equal(await answer, 'late');
  assert.equal(stubs.count, 1);
});

test('a runtime that hangs while loading is killed after a time that grows with its weights', async (t) => {
  const { runtime, stubs } = await setUp(t, { loadingTimeoutMs: 1000 }, (stub) => stub.loading());
  const startedAt = performance.now();
  runtime.start();
  const failed = assert.rejects(runtime.ensureReady(never), RuntimeFailedError);
  const first = await stubs.at(0);
  await phase(runtime, 'loading');
  first.command({ do: 'say', line: { event: 'weights', weights_bytes: 12_500_000 } });
  await phase(runtime, 'crashed');
  assert.ok(performance.now() - startedAt > 1500, 'half a second more for 12.5 MB');
  assert.match(
    runtime.state.phase === 'crashed' ? runtime.state.reason : '',
    /not ready after 2 s/,
  );
  await failed;
  assert.equal(stubs.count, 2);
});

test('a stop while a restart is due leaves the runtime stopped', async (t) => {
  const { runtime, stubs } = await setUp(t, {}, (stub) => stub.ready());
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  let now = 0;
  t.mock.method(performance, 'now', () => now);
  runtime.start();
  for (const index of [0, 1]) {
    await runtime.ensureReady(never);
    (await stubs.at(index)).kill();
    await phase(runtime, 'crashed');
    if (index === 0) mock.timers.tick(0);
  }
  assert.equal(runtime.state.phase === 'crashed' && runtime.state.retryInMs, 1000);
  await runtime.stop();
  now += 5000;
  mock.timers.tick(5000);
  assert.deepEqual([runtime.state.phase, stubs.count], ['stopped', 2]);
});

test('seven crashes, ten minutes apart, are recovered from', async (t) => {
  let now = 0;
  const { runtime, stubs } = await setUp(t, { now: () => now });
  runtime.start();
  for (let index = 0; index < 7; index += 1) {
    await runtime.ensureReady(never);
    (await stubs.at(index)).kill();
    await phase(runtime, 'crashed');
    now += 600_000;
    runtime.setLimits({}); // the clock was moved: timers go by it
  }
  await runtime.ensureReady(never);
  assert.equal(stubs.count, 8);
});

test('a process’s socket folder is removed after its exit', async (t) => {
  const { runtime, stubs } = await setUp(t);
  runtime.start();
  await runtime.ensureReady(never);
  const first = await stubs.at(0);
  const folder = dirname(first.socketPath);
  assert.equal(existsSync(folder), true);
  first.kill();
  await phase(runtime, 'crashed');
  const connection = await runtime.ensureReady(never);
  assert.deepEqual([existsSync(folder), existsSync(dirname(connection.socketPath))], [false, true]);
  await runtime.stop();
  assert.equal(existsSync(dirname(connection.socketPath)), false);
});

test('a program that cannot be started fails with a remedy', async (t) => {
  const command = { python: '/nowhere/python', args: [] };
  const { runtime } = await setUp(t, { command });
  runtime.start();
  await assert.rejects(runtime.ensureReady(never), (error) => {
    assert.ok(error instanceof RuntimeFailedError);
    assert.equal(error.problem.reason, 'launch_failed');
    assert.match(error.message, /could not be started.*npm run setup/s);
    return true;
  });
});

test('a socket folder that cannot be created fails with a remedy', async (t) => {
  const { runtime } = await setUp(t, {
    launch: () => {
      throw new Error('The temporary folder /tmp cannot be used (ENOSPC).');
    },
  });
  runtime.start();
  await assert.rejects(runtime.ensureReady(never), /\(ENOSPC\)\. Set TMPDIR/);
  assert.equal(runtime.state.phase, 'failed');
});
