import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TransferRate } from '../../../server/models/downloads.ts';

function rateOf(samples: [atMs: number, bytes: number][]): number | undefined {
  let now = 0;
  const rate = new TransferRate(() => now);
  for (const [at, bytes] of samples) {
    now = at;
    rate.add(bytes);
  }
  return rate.bytesPerSecond;
}

test('one sample is not enough for a speed', () => {
  assert.equal(rateOf([[0, 500]]), undefined);
});

test('what was there at first is not counted', () => {
  assert.equal(
    rateOf([
      [0, 1_000_000],
      [1000, 1_000_500],
    ]),
    500,
  );
});

test('only the last ten seconds count', () => {
  assert.equal(
    rateOf([
      [0, 0],
      [1000, 1_000_000],
      [20_000, 1_000_000],
      [25_000, 1_005_000],
    ]),
    // From the last sample before the window, so that a slow transfer has two to compare.
    5000 / 24,
  );
});

test('downloading bytes again does not make the speed negative', () => {
  assert.equal(
    rateOf([
      [0, 1000],
      [1000, 0],
    ]),
    0,
  );
});
