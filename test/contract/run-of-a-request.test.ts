import assert from 'node:assert/strict';
import { test } from 'node:test';
import pino from 'pino';
import { postTo } from '../support/api.ts';
import { post, question } from '../support/chat.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { startStubService, until } from '../support/service.ts';
// The path from an HTTP request to its job, with a stub runtime that the test controls.
import { answerAll, hello, PATH, streamed, streamedText } from '../support/stub-requests.ts';
import { usage } from '../support/stub-runtimes.ts';

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
    const asked = isStream ? streamed(url, body).then(streamedText) : post(url, body);
    const stub = await stubs.at(0);
    stub.command({ do: 'keep requests' });
    const { id } = await stub.requests.at(0);
    stub.send(id, 'one ', 'ST', 'OP', ' two');
    await stub.closed.at(0); // the response is closed although the model could continue
    const used = { prompt_tokens: 7, completion_tokens: 4, total_tokens: 11 };
    stub.command({ do: 'end', id, usage: used });
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

test('each request is logged in one line with its timing', async (t) => {
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
  const logged = lines
    .filter(({ msg }) => msg === 'request' || msg === 'refused')
    .map(({ id, msg, outcome, tokens, firstTokenMs, kind, stream, status }) => ({
      ...{ id, msg, outcome, tokens, kind, stream, status },
      hasToken: typeof firstTokenMs === 'number',
    }));
  const both = { msg: 'request', kind: 'text', stream: false, status: undefined };
  assert.deepEqual(logged, [
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
  stub.command({ do: 'keep requests' });
  await stub.requests.at(0);
  assert.equal((await late).status, 504);
  assert.equal(service.queue.has('same'), true);
  const again = post(url, hello, { headers });
  const { id } = await stub.requests.at(1);
  stub.answer(id, 'x');
  stub.command({ do: 'end', id });
  const answer = await again;
  assert.equal(answer.status, 200);
  assert.notEqual(answer.headers.get('x-request-id'), 'same');
  assert.equal(answer.headers.get('x-request-id'), id);
  stub.command({ do: 'end', id: 'same' });
});

test('clients that send the server’s own key are identified by their address', async (t) => {
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

test('a client that sends a key when none is set is identified by its fingerprint', async (t) => {
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

test('a forced call takes precedence over a format, and the runtime can generate nothing else', async (t) => {
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
        stub.command({ do: 'send', id, data: { choices } });
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
