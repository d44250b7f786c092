import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compare } from '../../../server/models/check.ts';

const round = (streams: number, tokensPerSecond: number, ...texts: string[]) => ({
  streams,
  tokensPerSecond,
  answers: texts.map((text) => ({ text })),
});

test('the most streams that still add to the speed are recommended', () => {
  const rounds = [round(1, 100, 'a', 'b'), round(2, 150, 'a', 'b'), round(4, 155, 'a', 'b')];
  assert.deepEqual(compare(rounds), {
    differing: [],
    recommended: 2,
    speeds: [
      { streams: 1, tokensPerSecond: 100 },
      { streams: 2, tokensPerSecond: 150 },
      { streams: 4, tokensPerSecond: 155 },
    ],
  });
});

test('an answer that changes keeps the recommendation below, however fast it was', () => {
  const rounds = [round(1, 100, 'a', 'b'), round(2, 150, 'a', 'b'), round(4, 300, 'a', 'x')];
  const { differing, recommended } = compare(rounds);
  assert.deepEqual(differing, [{ streams: 4, alone: 'b', together: 'x' }]);
  assert.equal(recommended, 2);
});

test('one request at a time is recommended for a model whose answers change with concurrency', () => {
  const rounds = [round(1, 100, 'a'), round(2, 200, 'x'), round(4, 400, 'a')];
  assert.equal(compare(rounds).recommended, 1);
});
