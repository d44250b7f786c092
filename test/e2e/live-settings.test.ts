import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { ListenError } from '../../server/http/server.ts';
import { Settings } from '../../server/settings.ts';
import { changedModel } from '../support/changed-model.ts';
import { freePort } from '../support/free-port.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { demoModel, type RunningService, startService, until } from '../support/service.ts';

const image = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
const base = Settings.parse({ modelPath: demoModel, port: 0, logLevel: 'silent' });
/** Models that could not be loaded, and why. */
const rollbacks: string[] = [];
let running: RunningService;
let url: string;
before(async () => {
  running = await startService({}, undefined, {
    onRollback: (modelPath, { reason }) => rollbacks.push(`${modelPath} ${reason}`),
  });
});
beforeEach(async () => {
  const { port } = await running.service.apply(base);
  url = `http://127.0.0.1:${port}`;
  await running.runtime();
});
after(() => running.stop());

function ask(url: string, extra: object = {}, headers: Record<string, string> = {}) {
  const content = [
    { type: 'image_url', image_url: { url: image } },
    { type: 'text', text: 'What is in this image?' },
  ];
  return fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ messages: [{ role: 'user', content }], ...extra }),
  });
}

/** What was said in whole, or streamed to its end; anything else is no answer. */
async function answerOf(asked: Promise<Response>): Promise<string> {
  const response = await asked;
  const text = await response.text();
  assert.equal(response.status, 200, text);
  if (response.headers.get('content-type')?.startsWith('application/json')) {
    return JSON.parse(text).choices[0].message.content;
  }
  const events = text.split('\n\n').filter((block) => block.startsWith('data: '));
  assert.equal(events.pop(), 'data: [DONE]');
  const deltas = events.map((event) => JSON.parse(event.slice(6)).choices[0].delta);
  return deltas.map(({ content }) => content ?? '').join('');
}
const usual = 'A red circle on a white background.';

/** A request that generates until its limit of tokens. */
const long = { logit_bias: { 1016: -100, 1018: -100 }, max_tokens: 200 };

test('a key, limits and origins apply from the next request on', async () => {
  const { service } = running;
  const changed = {
    ...base,
    apiKey: 'sk-new',
    maxConcurrency: 3,
    corsOrigins: ['https://a.example'],
  };
  assert.equal((await service.apply(changed)).applied, 'now');
  assert.equal((await ask(url)).status, 401);
  const headers = { authorization: 'Bearer sk-new', origin: 'https://a.example' };
  const response = await ask(url, {}, headers);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('access-control-allow-origin'), 'https://a.example');
  assert.equal(service.queue.stats.maxConcurrency, 3);
});

test('after a change of the port, requests to the old one are still answered', async () => {
  const { service } = running;
  const slow = ask(url, long);
  await until(running, () => service.queue.stats.runningCount === 1);
  const free = await freePort();
  const { applied, port } = await service.apply({ ...base, port: free });
  assert.deepEqual([applied, port], ['server_restarted', free]);
  assert.equal((await slow).status, 200);
  assert.equal((await ask(`http://127.0.0.1:${free}`)).status, 200);
  await assert.rejects(ask(url), 'the old port is closed');
});

test('a port in use changes nothing, and the error names the next free one', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => other.once('listening', resolve));
  const { port } = other.address() as AddressInfo;
  await assert.rejects(running.service.apply({ ...base, port, maxConcurrency: 5 }), (error) => {
    assert.ok(error instanceof ListenError);
    assert.ok((error.freePort ?? 0) > port);
    return true;
  });
  other.close();
  assert.equal((await ask(url)).status, 200);
  assert.equal(running.service.queue.stats.maxConcurrency, 1);
});

test('an idle model is unloaded, and loaded again for the next request', async () => {
  const { service } = running;
  await service.apply({ ...base, idleUnloadMinutes: 0.0001 });
  await until(running, () => service.runtime.state.phase === 'unloaded');
  const { status } = await fetch(`${url}/health`);
  assert.equal(status, 200);
  await service.apply(base); // no unloading from here on
  const answers = await Promise.all([ask(url), ask(url, { stream: true })]);
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200],
  );
  assert.equal(service.runtime.state.phase, 'ready');
});

test('a request that arrives while the model is being unloaded is answered', async () => {
  const { service } = running;
  const unloaded = service.runtime.unload();
  const answer = ask(url);
  await unloaded;
  assert.equal((await answer).status, 200);
});

test('a model that cannot be loaded is rolled back to the previous one, and waiting requests are answered', async (t) => {
  const empty = await mkdtemp(join(tmpdir(), 'sightglass-empty-'));
  t.after(() => rm(empty, { recursive: true }));
  const { service } = running;
  const first = ask(url, long);
  await until(running, () => service.queue.stats.runningCount === 1);
  const waiting = [ask(url), ask(url), ask(url, { stream: true })];
  await until(running, () => service.queue.stats.queueSize === 2);
  await service.apply({ ...base, modelPath: empty });
  assert.ok((await answerOf(first)).length > 200, 'it came to its end');
  assert.deepEqual(await Promise.all(waiting.map(answerOf)), [usual, usual, usual]);
  assert.deepEqual(rollbacks, [`${demoModel} model_incomplete`]);
  const { state } = service.runtime;
  assert.equal(state.phase === 'ready' && state.model.model, demoModel);
  const list = (await (await fetch(`${url}/v1/models`)).json()) as { data: { id: string }[] };
  assert.equal(list.data[0]?.id, 'demo');
});

test('another model is loaded once running requests have ended, and answers the waiting ones', async (t) => {
  const copy = await changedModel();
  t.after(() => copy[Symbol.asyncDispose]());
  const { service } = running;
  const first = ask(url, long);
  await until(running, () => service.queue.stats.runningCount === 1);
  const waiting = [ask(url), ask(url)];
  await until(running, () => service.queue.stats.queueSize === 2);
  const stream = ask(url, { ...long, stream: true });
  const { applied } = await service.apply({ ...base, modelPath: copy.folder });
  assert.equal(applied, 'model_reloading');
  const [whole, streamed] = await Promise.all([answerOf(first), answerOf(stream)]);
  assert.ok((whole ?? '').length > 200 && (streamed ?? '').length > 200, 'both came to their end');
  assert.deepEqual(await Promise.all(waiting.map(answerOf)), [usual, usual]);
  const { state } = service.runtime;
  assert.equal(state.phase === 'ready' && state.model.model, copy.folder);
});
