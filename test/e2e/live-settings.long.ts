import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { demoModel, until } from '../support/service.ts';
import { base, useChangingService } from './live-settings-fixture.ts';
import { answerOf, ask, long, usual } from './picture-question.ts';

const changing = useChangingService();

test('a request that arrives while the model is being unloaded is answered', async () => {
  const { service } = changing.running;
  const unloaded = service.runtime.unload();
  const answer = ask(changing.url);
  await unloaded;
  assert.equal((await answer).status, 200);
});

test('a model that cannot be loaded is rolled back to the previous one, and waiting requests are answered', async (t) => {
  const empty = await mkdtemp(join(tmpdir(), 'sightglass-empty-'));
  t.after(() => rm(empty, { recursive: true }));
  const { service } = changing.running;
  const first = ask(changing.url, long);
  await until(changing.running, () => service.queue.stats.runningCount === 1);
  const waiting = [ask(changing.url), ask(changing.url), ask(changing.url, { stream: true })];
  await until(changing.running, () => service.queue.stats.queueSize === 2);
  await service.apply({ ...base, modelPath: empty });
  assert.ok((await answerOf(first)).length > 200, 'it came to its end');
  assert.deepEqual(await Promise.all(waiting.map(answerOf)), [usual, usual, usual]);
  assert.deepEqual(changing.rollbacks, [`${demoModel} model_incomplete`]);
  const { state } = service.runtime;
  assert.equal(state.phase === 'ready' && state.model.model, demoModel);
  const list = (await (await fetch(`${changing.url}/v1/models`)).json()) as {
    data: { id: string }[];
  };
  assert.equal(list.data[0]?.id, 'demo');
});
