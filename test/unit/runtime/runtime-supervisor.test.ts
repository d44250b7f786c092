import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { mock, type TestContext, test } from 'node:test';
import pino from 'pino';
import type { RuntimeConnection } from '../../../server/runtime/connection.ts';
import {
  GenerationFailedError,
  RuntimeDiedError,
  RuntimeDrainedError,
  RuntimeFailedError,
  RuntimeRefusedError,
  RuntimeStoppedError,
  RuntimeWaitError,
} from '../../../server/runtime/errors.ts';
import type { RuntimePhase } from '../../../server/runtime/state.ts';
import {
  RuntimeSupervisor,
  type RuntimeSupervisorOptions,
} from '../../../server/runtime/supervisor.ts';

import { type StubProcess, StubRuntimes } from '../../support/stub-runtimes.ts';

const never = new AbortController().signal;
const silent = pino({ level: 'silent' });

/** A supervisor of stub processes for model A. */
async function setUp(
  t: TestContext,
  options: Partial<RuntimeSupervisorOptions> = {},
  onStart?: (stub: StubProcess, stubs: StubRuntimes) => void,
) {
  const stubs = await StubRuntimes.create(onStart);
  const runtime = new RuntimeSupervisor({
    ...{ command: stubs.command, modelPath: 'A', log: silent },
    ...options,
  });
  t.after(async () => {
    await runtime.shutdown();
    await stubs[Symbol.asyncDispose]();
  });
  return { stubs, runtime };
}

/** Resolves once the runtime is in the phase. */
function phase(runtime: RuntimeSupervisor, wanted: RuntimePhase['phase']): Promise<void> {
  return new Promise((resolve) => {
    const check = () => {
      if (runtime.state.phase !== wanted) return;
      forget();
      resolve();
    };
    const forget = runtime.onChange(check);
    check();
  });
}

const body = { model: 'A', stream: true, messages: [] } as const;

/** Asks for an answer, as a request does. */
async function ask(
  connection: RuntimeConnection,
  signal: AbortSignal,
  { id = 'ask', isComplete = () => false, onText = (_text: string) => {} } = {},
): Promise<string> {
  let text = '';
  for await (const chunks of connection.chat(body, { id, signal, isComplete })) {
    for (const { choices } of chunks) text += choices[0]?.delta.content ?? '';
    onText(text);
  }
  return text;
}

const broken = (...models: string[]) => {
  return (stub: StubProcess) => (models.includes(stub.model) ? stub.fatal() : stub.ready());
};

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

test('work that exceeds the drain timeout fails, or is retried with the next model', async (t) => {
  const { runtime, stubs } = await setUp(t, { drainTimeoutMs: 50 });
  runtime.start();
  const cut = runtime.run((c, signal) => ask(c, signal, { id: 'cut' }), { signal: never });
  const again = runtime.run((c, signal) => ask(c, signal, { id: 'again' }), {
    signal: never,
    mayRetry: () => true,
  });
  const failed = assert.rejects(cut, (error) => {
    assert.ok(error instanceof RuntimeDrainedError);
    assert.match(error.message, /0\.05 s/);
    return true;
  });
  const stub = await stubs.at(0);
  await stub.requests.at(1);
  await runtime.load('B');
  await failed;
  const next = await stubs.at(1);
  next.answer((await next.requests.at(0)).id, 'by B');
  assert.equal(await again, 'by B');
});

test('work is retried after each model change, however many there are', async (t) => {
  const { runtime, stubs } = await setUp(t, { drainTimeoutMs: 1 });
  runtime.start();
  const answer = runtime.run(ask, { signal: never, mayRetry: () => true });
  for (const [index, model] of ['B', 'C', 'D'].entries()) {
    await (await stubs.at(index)).requests.at(0);
    await runtime.load(model);
  }
  const last = await stubs.at(3);
  last.answer((await last.requests.at(0)).id, 'by D');
  assert.equal(await answer, 'by D');
});

test('work is retried once when its runtime dies', async (t) => {
  const { runtime, stubs } = await setUp(t);
  runtime.start();
  const answer = runtime.run(ask, { signal: never, mayRetry: () => true });
  const first = await stubs.at(0);
  first.send((await first.requests.at(0)).id, 'half');
  first.kill();
  const second = await stubs.at(1);
  second.answer((await second.requests.at(0)).id, 'whole');
  assert.equal(await answer, 'whole');
  assert.deepEqual(runtime.state.context.crashes.length, 1);
});

test('work that loses two runtimes fails', async (t) => {
  const { runtime, stubs } = await setUp(t);
  runtime.start();
  const answer = runtime.run(ask, { signal: never, mayRetry: () => true });
  const refused = assert.rejects(answer, RuntimeDiedError);
  for (const index of [0, 1]) {
    const stub = await stubs.at(index);
    await stub.requests.at(0);
    stub.kill();
  }
  await refused;
});

test('work is not retried without mayRetry', async (t) => {
  const { runtime, stubs } = await setUp(t);
  runtime.start();
  const answer = runtime.run(ask, { signal: never, mayRetry: () => false });
  const refused = assert.rejects(answer, RuntimeDiedError);
  const stub = await stubs.at(0);
  await stub.requests.at(0);
  stub.kill();
  await refused;
});

test('mayRetry decides by the error', async (t) => {
  const { runtime, stubs } = await setUp(t);
  runtime.start();
  const errors: string[] = [];
  const answer = runtime.run(ask, {
    signal: never,
    mayRetry: ({ name }) => errors.push(name) === 0,
  });
  const stub = await stubs.at(0);
  await stub.requests.at(0);
  stub.kill();
  await assert.rejects(answer, RuntimeDiedError);
  assert.deepEqual(errors, ['RuntimeDiedError']);
});

test('a request that fails alone is not retried', async (t) => {
  const { runtime, stubs } = await setUp(t);
  runtime.start();
  const answer = runtime.run(ask, { signal: never, mayRetry: () => true });
  const stub = await stubs.at(0);
  stub.fail((await stub.requests.at(0)).id, 'it broke');
  await assert.rejects(answer, (error) => {
    assert.ok(error instanceof GenerationFailedError);
    assert.deepEqual([error.message, error.shared], ['it broke', false]);
    return true;
  });
  assert.equal(stub.requests.all.length, 1);
});

test('a request that fails in a shared batch is retried', async (t) => {
  const { runtime, stubs } = await setUp(t);
  runtime.start();
  const other = runtime.run((c, signal) => ask(c, signal, { id: 'other' }), { signal: never });
  const stub = await stubs.at(0);
  await stub.requests.at(0);
  const answer = runtime.run((c, signal) => ask(c, signal, { id: 'mine' }), {
    signal: never,
    mayRetry: () => true,
  });
  await stub.requests.at(1);
  stub.fail('mine', 'the batch broke');
  await stub.requests.at(2);
  stub.answer('mine', 'whole');
  stub.answer('other', 'whole too');
  assert.deepEqual(await Promise.all([answer, other]), ['whole', 'whole too']);
});

test('a refused request is not retried, and its reason contains no payload', async (t) => {
  const { runtime, stubs } = await setUp(t);
  runtime.start();
  const replies = [
    ['{"detail":"no data:image/png;base64,AAAA== here"}', 'no data:… here'],
    ['{"detail":[{"loc":["body","top_k"],"msg":"Value error, too large"}]}', 'top_k: too large'],
    ['{"detail":[{"loc":["body"],"msg":"bad"},{"msg":"worse"}]}', 'bad; worse'],
    ['{"detail":7}', '{"detail":7}'],
    ['rubbish', 'rubbish'],
  ] as const;
  const stub = await stubs.at(0);
  for (const [index, [reply, message]] of replies.entries()) {
    const answer = runtime.run(ask, { signal: never, mayRetry: () => true });
    const { id } = await stub.requests.at(index);
    stub.tell({ do: 'refuse', id, status: 422, body: reply });
    await assert.rejects(answer, (error) => {
      assert.ok(error instanceof RuntimeRefusedError);
      assert.deepEqual([error.status, error.message], [422, message]);
      return true;
    });
  }
  assert.equal(stub.requests.all.length, replies.length);
});

test('a stream that closes early counts as a lost runtime', async (t) => {
  const { runtime, stubs } = await setUp(t);
  runtime.start();
  const answer = runtime.run(ask, { signal: never, mayRetry: () => true });
  const stub = await stubs.at(0);
  const { id } = await stub.requests.at(0);
  stub.send(id, 'half');
  stub.tell({ do: 'close', id });
  await stub.requests.at(1);
  stub.answer(id, 'whole');
  assert.equal(await answer, 'whole');
  assert.equal(stubs.count, 1);
});

test('aborted work ends once the runtime has released it', async (t) => {
  const { runtime, stubs } = await setUp(t);
  runtime.start();
  const controller = new AbortController();
  let ended = false;
  const answer = runtime
    .run(ask, { signal: controller.signal, mayRetry: () => true })
    .finally(() => {
      ended = true;
    });
  const refused = assert.rejects(answer, /the caller has gone/);
  const stub = await stubs.at(0);
  stub.tell({ do: 'keep requests' });
  const { id } = await stub.requests.at(0);
  controller.abort(new Error('the caller has gone'));
  await stub.closed.at(0);
  assert.equal(ended, false);
  stub.tell({ do: 'end', id });
  await refused;
});

test('an answer ended by `isComplete` reports its usage once the runtime has released it', async (t) => {
  const { runtime, stubs } = await setUp(t);
  runtime.start();
  const used: unknown[] = [];
  const answer = runtime.run(
    async (connection, signal) => {
      let text = '';
      const options = { id: 'a/b', signal, isComplete: () => text.includes('stop') };
      for await (const chunks of connection.chat(body, options)) {
        for (const { choices, usage } of chunks) {
          text += choices[0]?.delta.content ?? '';
          if (usage != null) used.push(usage);
        }
      }
      return text;
    },
    { signal: never },
  );
  const stub = await stubs.at(0);
  stub.tell({ do: 'keep requests' });
  await stub.requests.at(0);
  stub.send('a/b', 'go ', 'stop');
  await stub.closed.at(0);
  assert.deepEqual(used, []);
  const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };
  stub.tell({ do: 'end', id: 'a/b', usage });
  assert.equal(await answer, 'go stop');
  assert.deepEqual(used, [usage]);
});

test('a stopping process that reports ready gets no work', async (t) => {
  const { runtime, stubs } = await setUp(t, {}, (stub, { count }) =>
    count === 1 ? stub.tell({ do: 'ignore SIGTERM' }) : stub.ready(),
  );
  runtime.start();
  const first = await stubs.at(0);
  first.loading();
  await phase(runtime, 'loading');
  const loaded = runtime.load('B');
  await first.terms.at(0);
  const connected = runtime.ensureReady(never);
  first.ready();
  first.tell({ do: 'exit', code: 0 });
  await loaded;
  assert.equal((await connected).model.model, 'B');
});

test('a process that ignores SIGTERM is killed before the next one starts', async (t) => {
  const { runtime, stubs } = await setUp(t);
  runtime.start();
  await runtime.ensureReady(never);
  const first = await stubs.at(0);
  first.tell({ do: 'ignore SIGTERM' });
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
  first.tell({ do: 'stand still' });
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
  first.tell({ do: 'say', line: { event: 'weights', weights_bytes: 12_500_000 } });
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

test('a model that cannot be loaded is rolled back, and onRollback is called', async (t) => {
  const told: unknown[] = [];
  const { runtime, stubs } = await setUp(
    t,
    { onRollback: (model, { reason, message }) => told.push([model, reason, message]) },
    broken('B'),
  );
  runtime.start();
  await runtime.ensureReady(never);
  await runtime.load('B');
  const connection = await runtime.ensureReady(never);
  assert.equal(connection.model.model, 'A');
  assert.deepEqual(told, [['A', 'model_incomplete', 'B is broken.']]);
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
    stub.tell({ do: 'say', line: { event: 'memory', memory_bytes: bytes } });
    await changed;
    const { state } = runtime;
    assert.equal('memoryBytes' in state && state.memoryBytes, bytes);
    if (bytes === 6) void runtime.load('B');
  }
  stub.answer(id, 'x');
  await work;
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

test('unknown lines of the launcher are logged and ignored', async (t) => {
  const lines: { level: number; msg: string; line?: string }[] = [];
  const log = pino({ level: 'debug' }, { write: (text) => void lines.push(JSON.parse(text)) });
  const { runtime, stubs } = await setUp(t, { log }, (stub) => {
    for (const line of ['no JSON', '{"event":"unknown"}']) stub.tell({ do: 'say', line });
    for (const level of ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL', 'what']) {
      stub.tell({ do: 'log', line: `${level} stub says` });
    }
    stub.ready();
  });
  runtime.start();
  await runtime.ensureReady(never);
  await runtime.stop();
  assert.deepEqual(
    lines.filter(({ msg }) => /unexpected/.test(msg)).map(({ level, line }) => [level, line]),
    [
      [40, 'no JSON'],
      [40, '{"event":"unknown"}'],
    ],
  );
  assert.deepEqual(
    lines.filter(({ msg }) => /stub says/.test(msg)).map(({ level, msg }) => [level, msg]),
    [
      [20, 'stub says'],
      [20, 'stub says'],
      [40, 'stub says'],
      [50, 'stub says'],
      [50, 'stub says'],
      [20, 'what stub says'],
    ],
  );
  assert.equal(stubs.count, 1);
});

test('each phase is logged once, at the right level', async (t) => {
  const lines: Record<string, unknown>[] = [];
  const log = pino(
    { level: 'info', base: null, timestamp: false },
    { write: (text) => void lines.push(JSON.parse(text)) },
  );
  const { runtime, stubs } = await setUp(t, { log }, (stub, { count }) => {
    if (count === 1) stub.ready();
    else stub.fatal();
  });
  runtime.start();
  await runtime.ensureReady(never);
  const stub = await stubs.at(0);
  stub.kill();
  await phase(runtime, 'failed');
  const next = await stubs.at(1);
  assert.deepEqual(lines, [
    { level: 30, msg: 'runtime starting' },
    { level: 30, model: 'A', runtimePid: stub.pid, msg: 'runtime loading' },
    { level: 30, loadSeconds: 0.1, memoryBytes: 5, msg: 'runtime ready' },
    { level: 40, reason: 'killed by SIGKILL', retryInMs: 0, msg: 'runtime crashed' },
    { level: 30, msg: 'runtime starting' },
    { level: 30, model: 'A', runtimePid: next.pid, msg: 'runtime loading' },
    { level: 30, msg: 'runtime stopping' },
    {
      ...{ level: 50, reason: 'model_incomplete', message: 'A is broken.', remedy: 'Mend it.' },
      msg: 'runtime failed',
    },
  ]);
});
