import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createThrottle, SnapshotFeed } from '../../../main/snapshot-feed.ts';
import type { Snapshot } from '../../../server/contract.ts';

function createFeed(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  t.mock.method(performance, 'now', () => Date.now());
  const load = { running: 0, tokensPerSecond: 0 };
  const sent: number[] = [];
  const feed = new SnapshotFeed({
    take: () => ({ load }) as Snapshot,
    send: () => sent.push(Date.now()),
  });
  return { feed, load, sent };
}

test('no snapshots are sent while the panel is hidden, and one is sent when it is shown', (t) => {
  const { feed, sent } = createFeed(t);
  feed.changed();
  t.mock.timers.tick(10_000);
  assert.deepEqual(sent, []);
  feed.setVisible(true);
  assert.deepEqual(sent, [10_000]);
});

test('at most ten snapshots per second are sent, and the last change is always included', (t) => {
  const { feed, sent } = createFeed(t);
  feed.setVisible(true);
  for (let ms = 0; ms < 1000; ms += 1) {
    feed.changed();
    t.mock.timers.tick(1);
  }
  assert.deepEqual(sent, [0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]);
});

test('snapshots are sent four times per second while requests run, and stop afterwards', (t) => {
  const { feed, load, sent } = createFeed(t);
  feed.setVisible(true);
  load.running = 1;
  feed.changed();
  for (let at = 0; at < 20; at += 1) t.mock.timers.tick(50);
  assert.deepEqual(sent, [0, 100, 350, 600, 850]);
  load.running = 0;
  for (let at = 0; at < 100; at += 1) t.mock.timers.tick(100);
  assert.equal(sent.length, 6);
});

test('hiding the panel cancels a scheduled snapshot', (t) => {
  const { feed, load, sent } = createFeed(t);
  feed.setVisible(true);
  load.running = 1;
  feed.changed();
  feed.setVisible(false);
  t.mock.timers.tick(10_000);
  assert.deepEqual(sent, [0]);
});

test('a throttled function runs at once, then once per interval', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  t.mock.method(performance, 'now', () => Date.now());
  const done: number[] = [];
  const act = createThrottle(() => done.push(Date.now()), 100);
  act();
  act();
  act();
  for (let at = 0; at < 5; at += 1) t.mock.timers.tick(100);
  act();
  assert.deepEqual(done, [0, 100, 500]);
});
