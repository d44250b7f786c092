import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../support/service.ts';
import { ABOVE_THE_MODEL, EXPECTED, useMemoryCeiling } from './memory-fixture.ts';

const ceiling = useMemoryCeiling();

test('the reported memory follows the requests', async () => {
  const { state } = ceiling.running.service.runtime;
  await ceiling.ask();
  await until(ceiling.running, () => ceiling.running.service.runtime.state !== state);
  const now = ceiling.running.service.runtime.state;
  assert.ok(now.phase === 'ready' && now.memoryBytes > now.model.memory_bytes);
  const metrics = await (await fetch(`${ceiling.running.url}/metrics`)).text();
  assert.match(metrics, new RegExp(`^sightglass_runtime_memory_bytes ${now.memoryBytes}$`, 'm'));
});

test('a runtime above its memory ceiling is restarted, and waiting requests are answered', async () => {
  const first = ceiling.pid();
  const { queue } = ceiling.running.service;
  const answers = [ceiling.ask(), ceiling.ask(), ceiling.ask()];
  await until(ceiling.running, () => queue.stats.activeRequests === answers.length);
  await ceiling.use(ABOVE_THE_MODEL);
  assert.deepEqual(await Promise.all(answers), [EXPECTED, EXPECTED, EXPECTED]);
  await ceiling.untilRestarted(first);
});
