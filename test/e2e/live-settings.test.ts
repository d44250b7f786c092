import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { ListenError } from '../../server/http/server.ts';
import { changedModel } from '../support/changed-model.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/service.ts';
import { base, useChangingService } from './live-settings-fixture.ts';
import { answerOf, ask, long, usual } from './picture-question.ts';

const changing = useChangingService();

test('a changed key, limits and origins apply from the next request on', async () => {
  const { service } = changing.running;
  const changed = {
    ...base,
    apiKey: 'sk-new',
    maxConcurrency: 3,
    corsOrigins: ['https://a.example'],
  };
  assert.equal((await service.apply(changed)).applied, 'now');
  assert.equal((await ask(changing.url)).status, 401);
  const headers = { authorization: 'Bearer sk-new', origin: 'https://a.example' };
  const response = await ask(changing.url, {}, headers);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('access-control-allow-origin'), 'https://a.example');
  assert.equal(service.queue.stats.maxConcurrency, 3);
});

test('after a change of the port, requests to the old one are still answered', async () => {
  const { service } = changing.running;
  const slow = ask(changing.url, long);
  await until(changing.running, () => service.queue.stats.runningCount === 1);
  const free = await freePort();
  const { applied, port } = await service.apply({ ...base, port: free });
  assert.deepEqual([applied, port], ['server_restarted', free]);
  assert.equal((await slow).status, 200);
  assert.equal((await ask(`http://127.0.0.1:${free}`)).status, 200);
  await assert.rejects(ask(changing.url), 'the old port is closed');
});

test('a change to a port in use has no effect, and the error names the next free one', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => other.once('listening', resolve));
  const { port } = other.address() as AddressInfo;
  await assert.rejects(
    changing.running.service.apply({ ...base, port, maxConcurrency: 5 }),
    (error) => {
      assert.ok(error instanceof ListenError);
      assert.ok((error.freePort ?? 0) > port);
      return true;
    },
  );
  other.close();
  assert.equal((await ask(changing.url)).status, 200);
  assert.equal(changing.running.service.queue.stats.maxConcurrency, 1);
});

test('an idle model is unloaded, and loaded again for the next request', async () => {
  const { service } = changing.running;
  await service.apply({ ...base, idleUnloadMinutes: 0.0001 });
  await until(changing.running, () => service.runtime.state.phase === 'unloaded');
  const { status } = await fetch(`${changing.url}/health`);
  assert.equal(status, 200);
  await service.apply(base); // no unloading from here on
  const answers = await Promise.all([ask(changing.url), ask(changing.url, { stream: true })]);
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200],
  );
  assert.equal(service.runtime.state.phase, 'ready');
});

test('another model is loaded once running requests have ended, and answers the waiting ones', async (t) => {
  const copy = await changedModel();
  t.after(() => copy[Symbol.asyncDispose]());
  const { service } = changing.running;
  const first = ask(changing.url, long);
  await until(changing.running, () => service.queue.stats.runningCount === 1);
  const waiting = [ask(changing.url), ask(changing.url)];
  await until(changing.running, () => service.queue.stats.queueSize === 2);
  const stream = ask(changing.url, { ...long, stream: true });
  const { applied } = await service.apply({ ...base, modelPath: copy.folder });
  assert.equal(applied, 'model_reloading');
  const [whole, streamed] = await Promise.all([answerOf(first), answerOf(stream)]);
  assert.ok((whole ?? '').length > 200 && (streamed ?? '').length > 200, 'both came to their end');
  assert.deepEqual(await Promise.all(waiting.map(answerOf)), [usual, usual]);
  const { state } = service.runtime;
  assert.equal(state.phase === 'ready' && state.model.model, copy.folder);
});
