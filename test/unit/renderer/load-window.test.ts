import assert from 'node:assert/strict';
import { test } from 'node:test';
import { movesUntil, WINDOW_MS } from '../../../renderer/load-window.ts';

const sample = (at: number, running: number, tokensPerSecond = 0) => ({
  at,
  running,
  waiting: 0,
  tokensPerSecond,
});

test('a chart moves until the last load has left it', () => {
  const ofSamples = [
    [],
    [sample(1000, 0)],
    [sample(1000, 0), sample(2000, 1)],
    [sample(1000, 1), sample(2000, 0), sample(9000, 0)],
    [sample(1000, 0, 5), sample(2000, 0)],
  ].map(movesUntil);
  const left = 2000 + WINDOW_MS;
  assert.deepEqual(ofSamples, [-Infinity, -Infinity, Infinity, left, left]);
});
