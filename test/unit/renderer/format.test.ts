import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plural, toAge, toDuration, toSize } from '../../../renderer/format.ts';
import { toOutcome } from '../../../renderer/labels.ts';
import { toSize as toSizeOnCommandLine } from '../../../server/size.ts';

test('durations and sizes are formatted with their units', () => {
  assert.deepEqual([0, 840, 2140, 45_000, 60_000, 185_000, 3_600_000, 5_400_000].map(toDuration), [
    '0 ms',
    '840 ms',
    '2.1 s',
    '45 s',
    '1 min',
    '3 min 5 s',
    '1 h',
    '1 h 30 min',
  ]);
  assert.deepEqual([900, 4_400_000, 5_230_000_000].map(toSize), ['900 bytes', '4.4 MB', '5.2 GB']);
});

test('outcomes and counts are formatted as text', () => {
  assert.deepEqual(['ok', 'client_gone', 'image_too_large', undefined].map(toOutcome), [
    'answered',
    'client left',
    'image too large',
    '',
  ]);
  assert.deepEqual([plural(1, 'request'), plural(2, 'request')], ['1 request', '2 requests']);
});

test('a duration that rounds up to the next unit uses that unit', () => {
  assert.deepEqual([999.4, 999.6, 9949, 9960, 59_600].map(toDuration), [
    '999 ms',
    '1.0 s',
    '9.9 s',
    '10 s',
    '1 min',
  ]);
});

test('an age stays short', () => {
  assert.deepEqual([-20, 599_000, 3_599_000, 5_400_000].map(toAge), [
    '0 ms',
    '9 min 59 s',
    '59 min',
    '1 h 30 min',
  ]);
});

test('the panel and the command line format sizes alike', () => {
  for (const bytes of [0, 900, 740_000, 1_000_000, 4_400_000, 12_300_000, 740_000_000, 5.23e9]) {
    assert.equal(toSize(bytes), toSizeOnCommandLine(bytes));
  }
});
