import assert from 'node:assert/strict';
import { test } from 'node:test';
import { acceptsConnections } from '../../server/http/server.ts';
import { postTo } from '../support/api.ts';
import { post, question } from '../support/chat.ts';
import { freePort } from '../support/free-port.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { startStubService, until } from '../support/service.ts';
// The path from an HTTP request to its job, with a stub runtime that the test controls.
import { answerAll, hello, streamed, streamedText } from '../support/stub-requests.ts';

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

test('B and then C while a stream runs: the stream completes, and C answers the next request', async (t) => {
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
  assert.equal(streamedText(events), 'one two three');
  assert.equal(events.at(-1), '[DONE]');
  const next = await stubs.at(1);
  next.answer((await next.requests.at(0)).id, 'by C');
  const { body } = await waiting;
  assert.deepEqual(
    [next.model, body.choices[0].message.content, first.requests.all.length],
    ['C', 'by C', 1],
  );
});

test('a check runs alone, and new streams wait', async (t) => {
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
  first.command({ do: 'ignore SIGTERM' });
  first.answer(id, 'x');
  await first.terms.at(0);
  assert.deepEqual(await health(), unavailable('stopping'));
  first.command({ do: 'exit', code: 0 });
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
  (await stubs.at(3)).command({
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

test('--max-streams refuses further streams, but not other requests', async (t) => {
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
  (await stubs.at(1)).command({ do: 'stall' });
  const next = await stubs.at(2); // the hang watch
  next.answer((await next.requests.at(0)).id, 'x');
  assert.equal((await hung).status, 200);
});

test('of two concurrent address changes, only the last one applies', async (t) => {
  const { service, settings } = await startStubService(t);
  const [first, second] = [await freePort(), await freePort()];
  await Promise.all([first, second].map((port) => service.apply({ ...settings, port })));
  const listens = (port: number) => acceptsConnections('127.0.0.1', port);
  assert.deepEqual([await listens(first), await listens(second)], [false, true]);
});

test('a service that is stopped during an address change does not listen anywhere', async (t) => {
  const { service, settings } = await startStubService(t);
  const port = await freePort();
  await Promise.all([service.apply({ ...settings, port }), service.stop()]);
  assert.equal(await acceptsConnections('127.0.0.1', port), false);
});

test('a service that is shut down gives running requests the drain timeout, then an error', async (t) => {
  const { url, stubs, service } = await startStubService(t, { drainTimeoutSeconds: 0.2 });
  const asked = streamed(url);
  const stub = await stubs.at(0);
  const { id } = await stub.requests.at(0);
  stub.send(id, 'one');
  const waiting = post(url, hello);
  await until({ service }, () => service.activity.count === 2);
  await service.drain(); // the model never finishes
  const [events, answer] = [await asked, await waiting];
  assert.match(JSON.stringify(events), /"code":"request_cancelled"/);
  assert.equal(answer.status, 503);
});
