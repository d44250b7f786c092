import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { Settings } from '../../server/settings.ts';
import { demoModel, type RunningService, startService, until } from '../support/service.ts';
import { answerOf, ask, long, usual } from './picture-question.ts';

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
