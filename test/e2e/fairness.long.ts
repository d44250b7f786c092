import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startService } from '../support/service.ts';
import { BUSY_REQUESTS, overtakenBy } from './overtaking.ts';

test('with fifo, another client’s request waits for all earlier ones', async (t) => {
  const running = await startService({ queuePolicy: 'fifo', allowTextOnly: true });
  t.after(() => running.stop());
  const overtaken = await overtakenBy(running);
  t.diagnostic(`fifo: another client's requests waited for ${overtaken} of the busy one's`);
  assert.ok((overtaken[0] ?? 0) > BUSY_REQUESTS / 2, `${overtaken}`);
});
