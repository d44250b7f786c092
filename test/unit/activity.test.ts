import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Activity } from '../../server/activity.ts';

function start(t: TestContext) {
  t.mock.timers.enable({ apis: ['Date'] });
  const activity = new Activity();
  const begin = (id: string, stream = true) => {
    const request = { id, kind: 'vision', stream, client: 'c' } as const;
    const record = activity.begin(request, () => {});
    record.firstTokenAt = Date.now();
    return record;
  };
  return { activity, begin, tick: (ms: number) => t.mock.timers.tick(ms) };
}

test('the end of a stream is estimated from the duration of recent ones', (t) => {
  const { activity, begin, tick } = start(t);
  const expected = [activity.nextStreamEndMs()];
  const first = begin('1');
  begin('not a stream', false);
  tick(4000);
  expected.push(activity.nextStreamEndMs()); // none has ended: twice its age
  tick(4000);
  activity.end(first, 'ok');
  begin('2');
  expected.push(activity.nextStreamEndMs());
  tick(5000);
  begin('3');
  expected.push(activity.nextStreamEndMs());
  tick(5000);
  expected.push(activity.nextStreamEndMs()); // the second is overdue: one ends each 8 s / 2
  assert.deepEqual(expected, [undefined, 4000, 8000, 4000, 4000]);
});

test('a stream that was refused before its first token does not affect the estimate', (t) => {
  const { activity, begin, tick } = start(t);
  const refused = activity.begin({ id: 'r', kind: 'text', stream: true, client: 'c' }, () => {});
  activity.end(refused, 'template_refused');
  begin('1');
  tick(6000);
  assert.equal(activity.nextStreamEndMs(), 6000);
});
