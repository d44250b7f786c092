import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import pino from 'pino';
import { acceptsConnections } from '../../server/http/server.ts';
import { eventsOf, postTo } from '../support/api.ts';
import { post, question, stream } from '../support/chat.ts';
import { freePort } from '../support/free-port.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { type StubService, startStubService, until } from '../support/service.ts';
import { chunk, type StubProcess, usage } from '../support/stub-runtimes.ts';

// What stands between a request and its job, with a runtime that does as the test says.

const hello = { messages: [{ role: 'user', content: 'Hello' }] };
const PATH = '/v1/chat/completions';

/** The events of a stream of chat completions, as they are when it has ended. */
async function streamed(url: string, body: object = hello) {
  return (await eventsOf(url, PATH, body)).map(({ data }) => data);
}

/** Has the stub send a piece of an answer, and breaks it once the client has that. */
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

const textOf = (events: readonly { choices?: { delta: { content?: string } }[] }[]) =>
  events.map(({ choices }) => choices?.[0]?.delta.content ?? '').join('');

/** Answers all that it is asked from now on. */
async function answerAll(stub: StubProcess, text: string): Promise<void> {
  for (let index = stub.requests.all.length; ; index += 1) {
    stub.answer((await stub.requests.at(index)).id, text);
  }
}

test('a request is sent once, under its own id, to the loaded model', async (t) => {
  const { url, stubs } = await startStubService(t);
  const asked = post(
    url,
    { ...hello, model: 'whatever', seed: 5 },
    { headers: { 'x-request-id': 'mine' } },
  );
  const stub = await stubs.at(0);
  const { id, body, cacheSalt } = await stub.requests.at(0);
  stub.answer(id, 'Hi.');
  const answer = await asked;
  assert.equal(answer.body.choices[0].message.content, 'Hi.');
  assert.deepEqual(
    [id, body['model'], body['stream'], body['seed'], body['context_management'], cacheSalt],
    ['mine', 'A', true, 5, [], undefined],
  );
  assert.deepEqual([answer.body.model, stub.requests.all.length], ['whatever', 1]);
});

test('several answers are generated one at a time, and their tokens added up', async (t) => {
  const { url, stubs, service } = await startStubService(t);
  for (const isStream of [false, true]) {
    const asked = isStream ? streamed(url, { ...hello, n: 2 }) : post(url, { ...hello, n: 2 });
    const stub = await stubs.at(0);
    const first = await stub.requests.at(isStream ? 2 : 0);
    stub.send(first.id, 'a', 'b');
    await until({ service }, () => service.activity.count === 1);
    stub.finish(first.id);
    const second = await stub.requests.at(isStream ? 3 : 1);
    assert.equal(second.id, `${first.id}/2`);
    stub.answer(second.id, 'c');
    await asked;
    await service.activity.idle();
    // The runtime's own count, of both.
    assert.equal(service.activity.recent()[0]?.tokens, 2 * usage.completion_tokens);
  }
});

for (const isStream of [false, true]) {
  test(`a stop sequence ends the generation, too, ${isStream ? 'streamed' : 'whole'}`, async (t) => {
    const { url, stubs, service } = await startStubService(t);
    const body = { ...hello, stop: ['STOP'] };
    const asked = isStream ? streamed(url, body).then(textOf) : post(url, body);
    const stub = await stubs.at(0);
    stub.tell({ do: 'keep requests' });
    const { id } = await stub.requests.at(0);
    stub.send(id, 'one ', 'ST', 'OP', ' two');
    await stub.closed.at(0); // nobody reads on, though the model would go on
    const used = { prompt_tokens: 7, completion_tokens: 4, total_tokens: 11 };
    stub.tell({ do: 'end', id, usage: used });
    const answer = await asked;
    assert.equal(
      typeof answer === 'string' ? answer : answer.body.choices[0].message.content,
      'one ',
    );
    await service.activity.idle();
    assert.equal(service.activity.recent()[0]?.tokens, 4);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    assert.match(metrics, /^sightglass_tokens_total 4$/m);
  });
}

test('a stream starts at its arrival, a queued request at its turn', async (t) => {
  const { url, stubs, service } = await startStubService(t);
  const { activity } = service;
  const whole = [post(url, hello), post(url, hello)];
  const stub = await stubs.at(0);
  const first = await stub.requests.at(0);
  await until({ service }, () => service.queue.stats.queueSize === 1);
  const streaming = streamed(url);
  await until({ service }, () => activity.streams === 1);
  const stream = await stub.requests.at(1);
  const times = () =>
    activity.active().map(({ stream, startedAt, firstTokenAt }) => ({
      stream,
      hasStarted: startedAt !== undefined,
      hasToken: firstTokenAt !== undefined,
    }));
  const hasToken = false;
  assert.deepEqual(times(), [
    { stream: false, hasStarted: true, hasToken },
    { stream: false, hasStarted: false, hasToken },
    { stream: true, hasStarted: true, hasToken },
  ]);
  stub.answer(stream.id, 'x');
  await streaming;
  stub.answer(first.id, 'x');
  stub.answer((await stub.requests.at(2)).id, 'x');
  await Promise.all(whole);
  await activity.idle();
  for (const record of activity.recent()) {
    const { arrivedAt, startedAt = 0, firstTokenAt = 0, endedAt = 0, outcome } = record;
    assert.ok(arrivedAt <= startedAt && startedAt <= firstTokenAt && firstTokenAt <= endedAt);
    assert.equal(outcome, 'ok');
  }
});

test('each request has one line in the log with its timing', async (t) => {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: 'info' }, { write: (text) => void lines.push(JSON.parse(text)) });
  const { url, stubs, service } = await startStubService(t, {}, undefined, log);
  const asked = post(url, hello, { headers: { 'x-request-id': 'one' } });
  const stub = await stubs.at(0);
  const { id } = await stub.requests.at(0);
  stub.answer(id, 'x');
  await asked;
  const gone = new AbortController();
  const left = post(url, hello, { headers: { 'x-request-id': 'two' }, signal: gone.signal });
  await stub.requests.at(1);
  gone.abort();
  await assert.rejects(left);
  await service.activity.idle();
  await post(url, { messages: 5 }, { headers: { 'x-request-id': 'three' } });
  const told = lines
    .filter(({ msg }) => msg === 'request' || msg === 'refused')
    .map(({ id, msg, outcome, tokens, firstTokenMs, kind, stream, status }) => ({
      ...{ id, msg, outcome, tokens, kind, stream, status },
      hasToken: typeof firstTokenMs === 'number',
    }));
  const both = { msg: 'request', kind: 'text', stream: false, status: undefined };
  assert.deepEqual(told, [
    { ...both, id: 'one', outcome: 'ok', tokens: 2, hasToken: true },
    { ...both, id: 'two', outcome: 'client_gone', tokens: 0, hasToken: false },
    {
      ...{ id: 'three', msg: 'refused', outcome: 'invalid_request_error', status: 400 },
      ...{ tokens: undefined, kind: undefined, stream: undefined, hasToken: false },
    },
  ]);
  const [first = {}] = lines.filter(({ msg }) => msg === 'request');
  for (const name of ['queueWaitMs', 'firstTokenMs', 'durationMs']) {
    assert.ok(Number(first[name]) >= 0 && Number(first[name]) < 60_000, name);
  }
  assert.ok(Number(first['queueWaitMs']) <= Number(first['firstTokenMs']));
  assert.ok(Number(first['firstTokenMs']) <= Number(first['durationMs']));
});

test('a request id that still holds a slot is replaced', async (t) => {
  const { url, stubs, service } = await startStubService(t, {
    queueTimeoutSeconds: 1,
    maxConcurrency: 2,
  });
  const headers = { 'x-request-id': 'same' };
  const late = post(url, hello, { headers });
  const stub = await stubs.at(0);
  stub.tell({ do: 'keep requests' });
  await stub.requests.at(0);
  assert.equal((await late).status, 504);
  assert.equal(service.queue.has('same'), true);
  const again = post(url, hello, { headers });
  const { id } = await stub.requests.at(1);
  stub.answer(id, 'x');
  stub.tell({ do: 'end', id });
  const answer = await again;
  assert.equal(answer.status, 200);
  assert.notEqual(answer.headers.get('x-request-id'), 'same');
  assert.equal(answer.headers.get('x-request-id'), id);
  stub.tell({ do: 'end', id: 'same' });
});

test('clients that send the server’s own key are known by their address', async (t) => {
  const { url, stubs, service } = await startStubService(t, {
    apiKey: 'sk-ours',
    maxConcurrency: 3,
  });
  const keys = ['sk-ours', 'sk-ours', 'sk-ours'];
  const asked = keys.map((key) => post(url, hello, { headers: { 'x-api-key': key } }));
  const stub = await stubs.at(0);
  await stub.requests.at(2);
  assert.deepEqual(
    service.activity.active().map(({ client }) => client),
    Array.from({ length: 3 }, () => '127.0.0.1'),
  );
  for (const { id } of stub.requests.all) stub.answer(id, 'x');
  await Promise.all(asked);
});

test('a client that sends a key nobody asked for is known by its fingerprint', async (t) => {
  const { url, stubs, service } = await startStubService(t, { maxConcurrency: 4 });
  const headers = [
    { authorization: 'Bearer sk-first' },
    { authorization: 'Bearer sk-first' },
    { authorization: 'Bearer sk-second' },
    {},
  ];
  const asked = headers.map((each) => post(url, hello, { headers: each }));
  const stub = await stubs.at(0);
  await stub.requests.at(3);
  const active = service.activity.active();
  assert.doesNotMatch(JSON.stringify(active), /sk-/);
  const clients = new Set(active.map(({ client }) => client));
  assert.deepEqual(
    [...clients].map((client) => client.replace(/^key [0-9a-f]{8}$/, 'a key')).sort(),
    ['127.0.0.1', 'a key', 'a key'],
  );
  for (const { id } of stub.requests.all) stub.answer(id, 'x');
  await Promise.all(asked);
});

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
    stub.tell({ do: 'send', id, data: 'inner matters' });
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
  assert.equal(textOf(events), 'half');
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

test('stopping the service cancels waiting requests', async (t) => {
  const { url, service } = await startStubService(t, {}, (stub) => stub.loading());
  const asked = [post(url, hello), post(url, { ...hello, stream: true })];
  await until({ service }, () => service.activity.count === 2);
  await service.stop();
  assert.deepEqual(
    (await Promise.all(asked)).map(({ status, body }) => [status, body.error.code]),
    [
      [503, 'request_cancelled'],
      [503, 'request_cancelled'],
    ],
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

test('B and then C while a stream runs: the stream is whole, and C answers the next', async (t) => {
  const { url, stubs, service, settings } = await startStubService(t);
  const asked = streamed(url);
  const first = await stubs.at(0);
  const { id } = await first.requests.at(0);
  first.send(id, 'one ');
  await service.apply({ ...settings, modelPath: 'B' });
  await service.apply({ ...settings, modelPath: 'C' });
  const waiting = post(url, hello);
  await until({ service }, () => service.queue.stats.queueSize === 1);
  first.send(id, 'two ');
  first.answer(id, 'three');
  const events = await asked;
  assert.equal(textOf(events), 'one two three');
  assert.equal(events.at(-1), '[DONE]');
  const next = await stubs.at(1);
  next.answer((await next.requests.at(0)).id, 'by C');
  const { body } = await waiting;
  assert.deepEqual(
    [next.model, body.choices[0].message.content, first.requests.all.length],
    ['C', 'by C', 1],
  );
});

/** Asks for a stream and reads none of it until the socket is resumed. */
async function streamUnread(t: TestContext, url: string) {
  const { port } = new URL(url);
  const socket = connect(Number(port), '127.0.0.1');
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  socket.pause();
  const text = JSON.stringify({ ...hello, stream: true });
  socket.write(
    `POST ${PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n` +
      `content-length: ${text.length}\r\n\r\n${text}`,
  );
  return socket;
}

test('a client that does not read delays a change of the model no longer than --drain-timeout', async (t) => {
  const { url, stubs, service, settings } = await startStubService(t, { drainTimeoutSeconds: 0.5 });
  const socket = await streamUnread(t, url);
  const first = await stubs.at(0);
  const { id } = await first.requests.at(0);
  const large = 'x'.repeat(100_000);
  for (let count = 0; count < 100; count += 1) first.send(id, large);
  const whole = post(url, hello);
  const { id: wholeId } = await first.requests.at(1);
  first.send(wholeId, 'half');
  await service.apply({ ...settings, modelPath: 'B' });
  const startedAt = performance.now();
  const next = await stubs.at(1);
  void answerAll(next, 'by B');
  assert.equal((await whole).body.choices[0].message.content, 'by B');
  assert.ok(performance.now() - startedAt < 5000);
  socket.resume();
  let received = '';
  for await (const bytes of socket) {
    received += bytes;
    if (received.includes('"code":"model_changed"')) break;
  }
  assert.match(received.slice(-400), /"error":\{.*"code":"model_changed"/);
  assert.doesNotMatch(received, /\[DONE\]/);
});

test('a check runs alone: streams that arrive meanwhile wait', async (t) => {
  const { url, stubs, service } = await startStubService(t);
  const running = streamed(url);
  const stub = await stubs.at(0);
  const { id } = await stub.requests.at(0);
  const { signal } = new AbortController();
  const check = service.check({ signal, onProgress: () => {} });
  const [late, queued] = [streamed(url), post(url, hello)];
  await until({ service }, () => service.activity.count === 3);
  stub.answer(id, 'first');
  await running;
  void answerAll(stub, 'same');
  assert.deepEqual((await check).differing, []);
  await Promise.all([late, queued]);
  const asked = stub.requests.all.map(({ id }) => id.startsWith('check-'));
  const isCheck = asked.slice(1, -2);
  assert.equal(isCheck.length, 25);
  assert.deepEqual(
    [asked[0], isCheck.every(Boolean), asked.slice(-2)],
    [false, true, [false, false]],
  );
});

test('/health reports every phase of the runtime', async (t) => {
  const { url, stubs, service, settings } = await startStubService(t, {}, (stub, { count }) => {
    if (count > 1) stub.ready();
  });
  const health = async () => {
    const response = await fetch(`${url}/health`);
    return [response.status, await response.json()];
  };
  const unavailable = (state: string, more = {}) => [
    503,
    { status: 'unavailable', state, model: 'A', ...more },
  ];
  const { runtime } = service;
  const first = await stubs.at(0);
  assert.deepEqual(await health(), unavailable('starting'));
  first.loading();
  await until({ service }, () => runtime.state.phase === 'loading');
  assert.deepEqual(await health(), unavailable('loading'));
  first.ready();
  await runtime.ensureReady(new AbortController().signal);
  assert.deepEqual(await health(), [200, { status: 'ok', state: 'ready', model: 'A' }]);

  const asked = post(url, hello);
  const { id } = await first.requests.at(0);
  const unloaded = runtime.unload();
  assert.deepEqual(await health(), unavailable('draining'));
  first.tell({ do: 'ignore SIGTERM' });
  first.answer(id, 'x');
  await first.terms.at(0);
  assert.deepEqual(await health(), unavailable('stopping'));
  first.tell({ do: 'exit', code: 0 });
  await Promise.all([unloaded, asked]);
  assert.deepEqual(await health(), [200, { status: 'ok', state: 'unloaded', model: 'A' }]);

  for (const index of [1, 2]) {
    await runtime.ensureReady(new AbortController().signal).catch(() => {});
    (await stubs.at(index)).kill();
    await until({ service }, () => runtime.state.phase === 'crashed');
  }
  // The second restart is a second away.
  assert.deepEqual(await health(), unavailable('crashed', { reason: 'killed by SIGKILL' }));
  await runtime.ensureReady(new AbortController().signal);
  (await stubs.at(3)).tell({
    do: 'say',
    line: { event: 'fatal', reason: 'out_of_memory', message: 'No.', remedy: 'Less.' },
  });
  await until({ service }, () => runtime.state.phase === 'failed');
  assert.deepEqual(await health(), unavailable('failed', { reason: 'out_of_memory' }));
  await service.apply({ ...settings });
  await runtime.stop();
  assert.deepEqual(await health(), unavailable('stopped'));
});

test('the queue is paused while the runtime starts or drains', async (t) => {
  const { url, stubs, service } = await startStubService(t, {}, (stub, { count }) => {
    if (count > 1) stub.ready();
  });
  const isHeld = () => !service.queue.stats.running;
  const first = await stubs.at(0);
  assert.equal(isHeld(), true);
  first.ready();
  await until({ service }, () => !isHeld());
  const running = post(url, hello);
  const { id } = await first.requests.at(0);
  const restarted = service.runtime.restart();
  assert.equal(isHeld(), true);
  const waiting = post(url, hello);
  first.answer(id, 'by the first');
  assert.equal((await running).body.choices[0].message.content, 'by the first');
  await restarted;
  const second = await stubs.at(1);
  second.answer((await second.requests.at(0)).id, 'by the second');
  assert.equal((await waiting).body.choices[0].message.content, 'by the second');
  assert.deepEqual([isHeld(), first.requests.all.length], [false, 1]);
});

test('a client that disconnects stops its generation, whole or streamed', async (t) => {
  const { url, stubs, service } = await startStubService(t);
  const stub = await stubs.at(0);
  for (const [index, isStream] of [false, true].entries()) {
    const gone = new AbortController();
    const events = stream(url, hello, { signal: gone.signal });
    const asked = isStream ? events.next() : post(url, hello, { signal: gone.signal });
    const { id } = await stub.requests.at(index);
    if (isStream) stub.tell({ do: 'send', id, data: chunk('x') });
    if (isStream) await asked;
    gone.abort();
    await Promise.allSettled([asked]);
    assert.equal(await stub.closed.at(index), id);
    await service.activity.idle();
    await until({ service }, () => service.queue.stats.activeRequests === 0);
    assert.equal(service.activity.recent()[0]?.outcome, 'client_gone');
  }
});

test('a client that does not read a finished answer is not a hang of the runtime', async (t) => {
  const { url, stubs } = await startStubService(t, { hangTimeoutSeconds: 1 });
  await streamUnread(t, url);
  const stub = await stubs.at(0);
  stub.tell({ do: 'stand still' });
  const { id } = await stub.requests.at(0);
  for (let count = 0; count < 100; count += 1) stub.send(id, 'x'.repeat(100_000));
  stub.tell({ do: 'end', id }); // the generation is over, the client has read nothing
  await stub.probes.at(4); // two seconds
  assert.equal(stubs.count, 1);
  const asked = post(url, hello);
  const next = await stub.requests.at(1);
  stub.answer(next.id, 'x');
  assert.equal((await asked).status, 200);
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

test('a forced call wins over a format, and is the only thing the runtime may say', async (t) => {
  const { url, stubs } = await startStubService(t);
  const asked = post(url, {
    ...hello,
    response_format: { type: 'json_object' },
    tools: [{ type: 'function', function: { name: 'look' } }],
    tool_choice: 'required',
  });
  const stub = await stubs.at(0);
  const { id, body } = await stub.requests.at(0);
  const format = body['response_format'] as { type: string; json_schema: { name: string } };
  assert.deepEqual([format.type, format.json_schema.name], ['json_schema', 'call']);
  stub.answer(id, '{"name": "look", "arguments": {}}');
  const { message, finish_reason } = (await asked).body.choices[0];
  assert.deepEqual([message.tool_calls[0].function.name, finish_reason], ['look', 'tool_calls']);
});

for (const [path, body] of [
  ['/v1/chat/completions', hello],
  ['/v1/responses', { input: 'Hello' }],
] as const) {
  test(`parallel_tool_calls of ${path}: false is one call, and the generation ends with it`, async (t) => {
    const { url, stubs } = await startStubService(t);
    const call = (index: number) => ({
      ...{ index, id: `call_${index}`, type: 'function' },
      function: { name: 'look', arguments: '{}' },
    });
    const isChat = path !== '/v1/responses';
    const tool = isChat
      ? { type: 'function', function: { name: 'look' } }
      : { type: 'function', name: 'look', parameters: null, strict: false };
    for (const [index, isParallel] of [true, false, undefined].entries()) {
      const asked = postTo(url, path, {
        ...body,
        tools: [tool],
        ...(isParallel === undefined ? {} : { parallel_tool_calls: isParallel }),
      });
      const stub = await stubs.at(0);
      const { id } = await stub.requests.at(index);
      for (const at of [0, 1]) {
        const choices = [{ delta: { tool_calls: [call(at)] }, finish_reason: null }];
        stub.tell({ do: 'send', id, data: { choices } });
      }
      if (isParallel === false) await stub.closed.at(index);
      else stub.finish(id, 'tool_calls');
      const { body: answer } = await asked;
      const calls = isChat
        ? answer.choices[0].message.tool_calls
        : answer.output.filter(({ type }: { type: string }) => type === 'function_call');
      assert.equal(calls.length, isParallel === false ? 1 : 2, String(isParallel));
    }
  });
}

for (const isStream of [false, true]) {
  test(`a scaled image is announced in a header, ${isStream ? 'streamed' : 'whole'}`, async (t) => {
    const { url, stubs } = await startStubService(t, { maxImagePixels: 1024 });
    const png = await drawShape({ shape: 'circle', color: 'red', width: 64, height: 64 });
    const asked = fetch(url + PATH, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...question(toDataUrl(png, 'image/png')), stream: isStream }),
    });
    void answerAll(await stubs.at(0), 'x');
    const response = await asked;
    await response.text();
    assert.equal(
      response.headers.get('x-sightglass-images'),
      'messages.0.content.0;original="64x64";sent="32x32"',
    );
  });
}

test('--max-streams refuses one more stream, and no whole request', async (t) => {
  const { url, stubs } = await startStubService(t, { maxStreams: 1 });
  const first = streamed(url);
  const stub = await stubs.at(0);
  const { id } = await stub.requests.at(0);
  const refused = await post(url, { ...hello, stream: true });
  assert.deepEqual([refused.status, refused.body.error.code], [429, 'too_many_streams']);
  assert.match(refused.headers.get('retry-after') ?? '', /^[1-9]\d*$/);
  const whole = post(url, hello);
  stub.answer((await stub.requests.at(1)).id, 'x');
  assert.equal((await whole).status, 200);
  stub.answer(id, 'x');
  await first;
});

test('changed settings apply to every part from the next request on', async (t) => {
  const { url, stubs, service, settings } = await startStubService(t);
  const first = await stubs.at(0);
  await service.runtime.ensureReady(new AbortController().signal);
  const changed = {
    ...settings,
    ...{ maxImagePixels: 1024, responseStoreMegabytes: 0 },
    ...{ maxConcurrency: 2, queueSize: 5 },
  };
  await service.apply(changed);
  const { maxConcurrency, maxQueueSize } = service.queue.stats;
  assert.deepEqual([maxConcurrency, maxQueueSize], [2, 5]);

  const png = await drawShape({ shape: 'circle', color: 'red', width: 64, height: 64 });
  const scaled = post(url, question(toDataUrl(png, 'image/png')));
  first.answer((await first.requests.at(0)).id, 'x');
  assert.ok((await scaled).headers.has('x-sightglass-images'), 'images');

  const kept = postTo(url, '/v1/responses', { input: 'Hello' });
  first.answer((await first.requests.at(1)).id, 'x');
  const { body } = await kept;
  assert.equal((await fetch(`${url}/v1/responses/${body.id}`)).status, 404, 'the response store');

  await service.apply({ ...changed, idleUnloadMinutes: 0.001 });
  await until({ service }, () => service.runtime.state.phase === 'unloaded'); // the memory saver
  await service.apply({ ...settings, hangTimeoutSeconds: 1 });
  const hung = post(url, hello);
  (await stubs.at(1)).tell({ do: 'stand still' });
  const next = await stubs.at(2); // the hang watch
  next.answer((await next.requests.at(0)).id, 'x');
  assert.equal((await hung).status, 200);
});

test('two changes of the address at once leave the last one, and no other', async (t) => {
  const { service, settings } = await startStubService(t);
  const [first, second] = [await freePort(), await freePort()];
  await Promise.all([first, second].map((port) => service.apply({ ...settings, port })));
  const listens = (port: number) => acceptsConnections('127.0.0.1', port);
  assert.deepEqual([await listens(first), await listens(second)], [false, true]);
});

test('a service that is stopped while it moves listens nowhere', async (t) => {
  const { service, settings } = await startStubService(t);
  const port = await freePort();
  await Promise.all([service.apply({ ...settings, port }), service.stop()]);
  assert.equal(await acceptsConnections('127.0.0.1', port), false);
});

test('a service that ends gives what runs the drain timeout, then an error', async (t) => {
  const { url, stubs, service } = await startStubService(t, { drainTimeoutSeconds: 0.2 });
  const asked = streamed(url);
  const stub = await stubs.at(0);
  const { id } = await stub.requests.at(0);
  stub.send(id, 'one');
  const waiting = post(url, hello);
  await until({ service }, () => service.activity.count === 2);
  await service.drain(); // the model goes on for ever
  const [events, answer] = [await asked, await waiting];
  assert.match(JSON.stringify(events), /"code":"request_cancelled"/);
  assert.equal(answer.status, 503);
});
