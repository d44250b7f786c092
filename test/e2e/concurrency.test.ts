import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type RunningService, runtimeMetrics, startService } from '../support/service.ts';
import { testOwnPictures } from './own-pictures.ts';

let running: RunningService;
before(async () => {
  running = await startService({ maxConcurrency: 8 });
});
after(() => running.stop());

testOwnPictures(() => running.url, { concurrent: 10, alternating: 8 });

test('the prefix cache is on', async () => {
  const metrics = (await runtimeMetrics(await running.runtime())) as {
    server: { apc: { enabled: boolean } };
  };
  assert.equal(metrics.server.apc.enabled, true);
});
