import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { LoadHistory } from '../../../main/load-history.ts';
import { Activity } from '../../../server/activity.ts';

const request = { kind: 'vision' as const, stream: false, client: 'x' };

async function begin(t: TestContext) {
  t.mock.timers.enable({ apis: ['setInterval', 'Date'] });
  const activity = new Activity();
  const history = new LoadHistory(activity);
  t.after(() => history.close());
  const record = activity.begin({ id: 'a', ...request }, () => {});
  await Promise.resolve(); // changes are told in a microtask
  return { activity, history, record };
}
const shown = ({ samples }: LoadHistory) =>
  samples.map(({ at, running, waiting, tokensPerSecond }) => [
    at,
    running,
    waiting,
    tokensPerSecond,
  ]);

test('while there is work there is a sample a second, with the tokens of that second', async (t) => {
  const { activity, history, record } = await begin(t);
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

test('without work there is no sample and no timer', async (t) => {
  const { activity, history, record } = await begin(t);
  activity.end(record, 'ok');
  t.mock.timers.tick(60_000);
  assert.deepEqual(shown(history).length, 2);
  assert.equal(history.tokensPerSecond, 0);
});

test('five minutes are kept', async (t) => {
  const { history } = await begin(t);
  for (let second = 0; second < 400; second += 1) t.mock.timers.tick(1000);
  assert.equal(history.samples.length, 300);
});
