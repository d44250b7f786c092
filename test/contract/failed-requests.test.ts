import assert from 'node:assert/strict';
import { test } from 'node:test';
import pino from 'pino';
import { eventsOf, postTo } from '../support/api.ts';
import { post } from '../support/chat.ts';
import { type StubService, startStubService, until } from '../support/service.ts';
// The path from an HTTP request to its job, with a stub runtime that the test controls.
import { hello, PATH, streamedText } from '../support/stub-requests.ts';
import type { StubProcess } from '../support/stub-runtimes.ts';

/** Makes the stub send part of an answer, and fails it once the client has received that. */
async function eventsOfBroken(
  { url, stubs }: StubService,
  path: string,
  body: object,
  breakIt: (stub: StubProcess, id: string) => void,
) {
  const stub = stubs.at(0);
  const request = stub.then((each) => each.requests.at(0));
  const asked = eventsOf(url, path, body, async ({ data }) => {
    if (/half/.test(JSON.stringify(data))) breakIt(await stub, (await request).id);
  });
  (await stub).send((await request).id, 'half');
  return asked;
}

test('a request that fails alone is not retried, and gets 500', async (t) => {
  const { url, stubs } = await startStubService(t);
  const asked = post(url, hello);
  const stub = await stubs.at(0);
  stub.fail((await stub.requests.at(0)).id, 'it broke');
  const { status, body } = await asked;
  assert.deepEqual(
    [status, body.error.code, body.error.message],
    [500, 'generation_failed', 'The model failed to answer: it broke'],
  );
  assert.equal(stub.requests.all.length, 1);
});

test('a request that fails in a shared batch is retried, unless it caused the failure', async (t) => {
  const { url, stubs } = await startStubService(t, { maxConcurrency: 2 });
  const other = post(url, hello);
  const stub = await stubs.at(0);
  const { id: otherId } = await stub.requests.at(0);
  for (const [isStream, message, code, asks] of [
    [false, 'the batch broke', undefined, 2],
    [true, 'the batch broke', undefined, 2],
    [false, 'the maximum context length is 9 tokens', 'context_length_exceeded', 1],
    [true, 'the maximum context length is 9 tokens', 'context_length_exceeded', 1],
    [false, 'Failed to load image: what', 'image_unreadable', 1],
  ] as const) {
    const before = stub.requests.all.length;
    const asked = post(url, { ...hello, stream: isStream }).catch(() => undefined);
    const { id } = await stub.requests.at(before);
    stub.fail(id, message);
    if (asks === 2) stub.answer((await stub.requests.at(before + 1)).id, 'whole');
    const answer = await asked;
    if (code !== undefined) {
      const { status, body } = answer ?? {};
      assert.deepEqual([status, body.error.code, body.error.param], [400, code, 'messages']);
    }
    assert.equal(stub.requests.all.length - before, asks);
  }
  stub.answer(otherId, 'x');
  await other;
});

for (const isStream of [false, true]) {
  test(`an unexpected error is "internal error" to clients and logged in full, ${isStream ? 'streamed' : 'whole'}`, async (t) => {
    const lines: Record<string, unknown>[] = [];
    const log = pino({ level: 'info' }, { write: (text) => void lines.push(JSON.parse(text)) });
    const { url, stubs } = await startStubService(t, {}, undefined, log);
    const asked = post(url, { ...hello, stream: isStream });
    const stub = await stubs.at(0);
    const { id } = await stub.requests.at(0);
    stub.command({ do: 'send', id, data: 'inner matters' });
    const { status, body } = await asked;
    assert.deepEqual(
      [status, body],
      [
        500,
        {
          error: { message: 'internal error', type: 'server_error', param: null, code: null },
          detail: 'internal error',
        },
      ],
    );
    const [error] = lines.filter(({ level }) => level === 50);
    assert.match(JSON.stringify(error), /inner matters/);
    assert.equal(stub.requests.all.length, 1);
  });
}

test('a broken stream of chat completions ends with one error event', async (t) => {
  const running = await startStubService(t);
  const named = await eventsOfBroken(running, PATH, hello, (stub, id) => stub.fail(id, 'it broke'));
  const events = named.map(({ data }) => data);
  assert.equal(streamedText(events), 'half');
  assert.deepEqual(
    events.map((event) => Object.keys(event).includes('error')),
    [...events.slice(0, -1).map(() => false), true],
  );
  assert.equal(events.at(-1)?.error.code, 'generation_failed');
  await running.service.activity.idle();
  assert.equal(running.service.activity.recent()[0]?.outcome, 'generation_failed');
});

test('a broken stream of Responses keeps its numbering', async (t) => {
  const running = await startStubService(t);
  const body = { input: 'Hello' };
  const events = await eventsOfBroken(running, '/v1/responses', body, (stub) => stub.kill());
  assert.deepEqual(
    events.map(({ data }) => [data.sequence_number, data.type]),
    [
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.failed',
      'error',
    ].map((type, index) => [index, type]),
  );
});

test('a broken stream of Messages ends with an error', async (t) => {
  const running = await startStubService(t);
  const body = { ...hello, max_tokens: 9 };
  const events = await eventsOfBroken(running, '/v1/messages', body, (stub) => stub.kill());
  assert.deepEqual(
    events.map(({ event }) => event),
    ['message_start', 'content_block_start', 'content_block_delta', 'error'],
  );
});

test('a stream that had sent nothing when its runtime died starts once, on the next runtime', async (t) => {
  const { url, stubs } = await startStubService(t);
  const asked = eventsOf(url, '/v1/responses', { input: 'Hello' });
  const first = await stubs.at(0);
  await first.requests.at(0);
  first.kill();
  const second = await stubs.at(1);
  second.answer((await second.requests.at(0)).id, 'whole');
  const events = (await asked).map(({ data }) => data);
  assert.deepEqual(
    events.map(({ sequence_number }) => sequence_number),
    events.map((_, index) => index),
  );
  assert.equal(events.filter(({ type }) => type === 'response.created').length, 1);
  assert.equal(events.at(-1)?.type, 'response.completed');
});

test('when the service gives up, every waiting request gets model_not_ready with the reason', async (t) => {
  const { url, service, stubs } = await startStubService(t, { queueSize: 9 }, (stub) =>
    stub.loading(),
  );
  const asked = [
    ...[1, 2, 3].map(() => post(url, hello)),
    post(url, { ...hello, stream: true }),
    postTo(url, '/v1/messages', { ...hello, max_tokens: 5 }),
  ];
  await until({ service }, () => service.activity.count === 5);
  const stopped = new Promise<void>((resolve) => {
    // As the command line does.
    service.runtime.onChange(({ phase }) => phase === 'failed' && resolve(service.stop()));
  });
  for (const index of [0, 1]) (await stubs.at(index)).kill();
  const answers = await Promise.all(asked);
  await stopped;
  for (const { status, body } of answers) {
    assert.equal(status, 503);
    assert.match(
      body.error.message,
      /crashed 2 times in a row while loading the model \(last: killed by SIGKILL\)/,
    );
  }
  const codes = answers.slice(0, 4).map(({ body }) => body.error.code);
  assert.deepEqual(
    codes,
    Array.from({ length: 4 }, () => 'model_not_ready'),
  );
});

test('a stream that waits for a model that is never ready gets an error within --queue-timeout', async (t) => {
  const settings = { queueTimeoutSeconds: 0.3 };
  const {
    url,
    service,
    settings: all,
  } = await startStubService(t, settings, (stub) => stub.loading());
  const silent = await post(url, { ...hello, stream: true });
  assert.deepEqual([silent.status, silent.body.error.code], [503, 'model_not_ready']);
  assert.match(silent.body.error.message, /not ready within 0\.3 s/);
  await service.apply({ ...all, keepAliveSeconds: 0.05 });
  const response = await fetch(url + PATH, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...hello, stream: true }),
  });
  assert.equal(response.status, 200);
  const text = await response.text();
  assert.match(text, /^(: keep-alive\n\n)+data: \{"error":\{.*"code":"model_not_ready"\}\}\n\n$/);
});

for (const isStream of [false, true]) {
  test(`a request that crashes the runtime twice is refused, ${isStream ? 'streamed' : 'whole'}`, async (t) => {
    const { url, stubs } = await startStubService(t);
    const asked = post(url, { ...hello, stream: isStream });
    for (const index of [0, 1]) {
      const stub = await stubs.at(index);
      await stub.requests.at(0);
      stub.kill();
    }
    const { status, body, headers } = await asked;
    assert.deepEqual(
      [status, body.error.code, headers.get('x-should-retry')],
      [502, 'runtime_crashed', 'false'],
    );
  });
}
