import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startService } from '../support/service.ts';
import { overtakenBy, PERSON_REQUESTS } from './overtaking.ts';

test('with fair, each request of another client waits for at most one of a busy client', async (t) => {
  const running = await startService({ queuePolicy: 'fair', allowTextOnly: true });
  t.after(() => running.stop());
  const overtaken = await overtakenBy(running);
  t.diagnostic(`fair: another client's requests waited for ${overtaken} of the busy one's`);
  assert.equal(overtaken.length, PERSON_REQUESTS);
  assert.ok(Math.max(...overtaken) <= 1, `${overtaken}`);
});
