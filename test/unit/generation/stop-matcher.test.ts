import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { StopMatcher } from '../../../server/generation/stop-matcher.ts';

function shown(pieces: readonly string[], stops: readonly string[]): string {
  const matcher = new StopMatcher(stops);
  let text = '';
  for (const piece of pieces) text += matcher.push(piece);
  return matcher.matched !== undefined ? text : text + matcher.end();
}

/** The text up to the stop sequence that is complete first, or the longest of several. */
function expected(text: string, stops: readonly string[]): string {
  for (let length = 1; length <= text.length; length += 1) {
    const ended = stops.filter((stop) => text.slice(0, length).endsWith(stop));
    if (ended.length > 0) return text.slice(0, length - Math.max(...ended.map((s) => s.length)));
  }
  return text;
}

/** Text from a tiny alphabet, so that stop sequences occur, overlap and almost occur. */
const texts = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 30 });
const stop = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 5 });
const stops = fc.array(stop, { minLength: 1, maxLength: 4 });

test('the text ends before the first stop sequence, however it is split', () => {
  fc.assert(
    fc.property(texts, stops, fc.array(fc.nat(30)), (text, sequences, cuts) => {
      const at = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].sort((a, b) => a - b);
      const pieces = [0, ...at].map((from, index) => text.slice(from, at[index] ?? text.length));
      assert.equal(shown(pieces, sequences), expected(text, sequences));
    }),
    { numRuns: 5000 },
  );
});

test('every way to split a text into two or three pieces shows the same text', () => {
  const text = 'A red circle on a white background. It is round.';
  const sequences = ['white', ' background', 'circle on the'];
  for (let first = 0; first <= text.length; first += 1) {
    for (let second = first; second <= text.length; second += 1) {
      const pieces = [text.slice(0, first), text.slice(first, second), text.slice(second)];
      assert.equal(shown(pieces, sequences), 'A red circle on a ');
    }
  }
});

test('the text shown never contains or ends with part of a match', () => {
  fc.assert(
    fc.property(texts, stops, (text, sequences) => {
      const result = shown([...text], sequences);
      assert.ok(sequences.every((sequence) => !result.includes(sequence)));
      assert.ok(text.startsWith(result));
    }),
    { numRuns: 2000 },
  );
});

test('text that cannot start a stop sequence is shown immediately', () => {
  const matcher = new StopMatcher(['END']);
  assert.deepEqual(
    [matcher.push('the E'), matcher.push('ast'), matcher.push(' EN'), matcher.end()],
    ['the ', 'East', ' ', 'EN'],
  );
});

test('nothing is shown after a match', () => {
  const matcher = new StopMatcher(['.']);
  assert.deepEqual(
    [matcher.push('One. Two'), matcher.push(' more'), matcher.matched],
    ['One', '', '.'],
  );
});
