import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { LoadHistory } from '../../../main/load-history.ts';
import { Activity } from '../../../server/activity.ts';

const request = { kind: 'vision' as const, stream: false, client: 'x' };

async function startRequest(t: TestContext) {
  t.mock.timers.enable({ apis: ['setInterval', 'Date'] });
  const activity = new Activity();
  const history = new LoadHistory(activity);
  t.after(() => history.close());
  const record = activity.begin({ id: 'a', ...request }, () => {});
  await Promise.resolve(); // listeners are called in a microtask
  return { activity, history, record };
}
const shown = ({ samples }: LoadHistory) =>
  samples.map(({ at, running, waiting, tokensPerSecond }) => [
    at,
    running,
    waiting,
    tokensPerSecond,
  ]);

test('while requests are in flight, one sample per second counts the tokens of that second', async (t) => {
  const { activity, history, record } = await startRequest(t);
  record.startedAt = 1;
  record.tokens = 30;
  t.mock.timers.tick(1000);
  record.tokens = 70;
  const waiting = activity.begin({ id: 'b', ...request }, () => {});
  t.mock.timers.tick(1000);
  assert.equal(history.tokensPerSecond, 40);
  activity.end(record, 'ok');
  activity.end(waiting, 'ok');
  t.mock.timers.tick(1000);
  assert.deepEqual(shown(history), [
    [0, 0, 1, 0],
    [1000, 1, 0, 30],
    [2000, 1, 1, 40],
    [3000, 0, 0, 0],
  ]);
});

test('no samples are taken and no timer runs while idle', async (t) => {
  const { activity, history, record } = await startRequest(t);
  activity.end(record, 'ok');
  t.mock.timers.tick(60_000);
  assert.deepEqual(shown(history).length, 2);
  assert.equal(history.tokensPerSecond, 0);
});

test('samples older than five minutes are dropped', async (t) => {
  const { history } = await startRequest(t);
  for (let second = 0; second < 400; second += 1) t.mock.timers.tick(1000);
  assert.equal(history.samples.length, 300);
});
