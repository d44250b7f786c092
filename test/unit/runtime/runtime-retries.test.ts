import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  GenerationFailedError,
  RuntimeDiedError,
  RuntimeDrainedError,
  RuntimeRefusedError,
} from '../../../server/runtime/errors.ts';
import { ask, body, never, setUp } from '../../support/stub-supervisor.ts';

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
    stub.command({ do: 'refuse', id, status: 422, body: reply });
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
  stub.command({ do: 'close', id });
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
  stub.command({ do: 'keep requests' });
  const { id } = await stub.requests.at(0);
  controller.abort(new Error('the caller has gone'));
  await stub.closed.at(0);
  assert.equal(ended, false);
  stub.command({ do: 'end', id });
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
  stub.command({ do: 'keep requests' });
  await stub.requests.at(0);
  stub.send('a/b', 'go ', 'stop');
  await stub.closed.at(0);
  assert.deepEqual(used, []);
  const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };
  stub.command({ do: 'end', id: 'a/b', usage });
  assert.equal(await answer, 'go stop');
  assert.deepEqual(used, [usage]);
});
