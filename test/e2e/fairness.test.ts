import assert from 'node:assert/strict';
import { test } from 'node:test';
import { post } from '../support/chat.ts';
import { type RunningService, startService, until } from '../support/service.ts';

/** Without a picture, so that it is in line as soon as it is counted: one whose picture loads is not. */
const greeting = { messages: [{ role: 'user', content: 'Ahoy' }], max_tokens: 2 };
const BUSY_REQUESTS = 30;
const PERSON_REQUESTS = 5;

/**
 * One client keeps 30 requests waiting while another asks five times. Gives, for each of the
 * other's requests, how many of the first client's were started while it waited.
 */
async function overtakenBy(running: RunningService): Promise<number[]> {
  const { service, url } = running;
  const as = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });
  service.queue.pause(); // else the first may be answered before the last has come
  const agent = Array.from({ length: BUSY_REQUESTS }, () => post(url, greeting, as('busy-agent')));
  await until(running, () => service.queue.stats.activeRequests === BUSY_REQUESTS);
  const busy = service.activity.active()[0]?.client;
  const asking = Array.from({ length: PERSON_REQUESTS }, () => post(url, greeting, as('a-person')));
  const all = BUSY_REQUESTS + PERSON_REQUESTS;
  await until(running, () => service.queue.stats.activeRequests === all);
  service.queue.resume();
  await Promise.all([...agent, ...asking]);
  const ended = service.activity
    .recent()
    .toSorted((a, b) => (a.startedAt ?? 0) - (b.startedAt ?? 0));
  const asked = ended.filter(({ client }) => client !== busy);
  return asked.map(({ arrivedAt, startedAt = 0 }, index) => {
    const since = Math.max(arrivedAt, asked[index - 1]?.startedAt ?? 0);
    return ended.filter(
      (other) =>
        other.client === busy &&
        (other.startedAt ?? 0) > since &&
        (other.startedAt ?? 0) < startedAt,
    ).length;
  });
}

test('with the fair policy each request of another client waits for at most one of a busy one', async (t) => {
  const running = await startService({ queuePolicy: 'fair', allowTextOnly: true });
  t.after(() => running.stop());
  const overtaken = await overtakenBy(running);
  t.diagnostic(`fair: another client's requests waited for ${overtaken} of the busy one's`);
  assert.equal(overtaken.length, PERSON_REQUESTS);
  assert.ok(Math.max(...overtaken) <= 1, `${overtaken}`);
});

test('with fifo the first of them waits for all that were there before it', async (t) => {
  const running = await startService({ queuePolicy: 'fifo', allowTextOnly: true });
  t.after(() => running.stop());
  const overtaken = await overtakenBy(running);
  t.diagnostic(`fifo: another client's requests waited for ${overtaken} of the busy one's`);
  assert.ok((overtaken[0] ?? 0) > BUSY_REQUESTS / 2, `${overtaken}`);
});
