import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { StopMatcher } from '../../../server/openai/stop-matcher.ts';

function shown(pieces: readonly string[], stops: readonly string[]): string {
  const matcher = new StopMatcher(stops);
  let text = '';
  for (const piece of pieces) text += matcher.push(piece);
  return matcher.matched ? text : text + matcher.end();
}

/** A text over a tiny alphabet, so that stops occur, overlap and nearly occur. */
const texts = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 30 });
const stop = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 5 });

test('the text ends before the first stop sequence, wherever the pieces are cut', () => {
  fc.assert(
    fc.property(texts, stop, fc.array(fc.nat(30)), (text, sequence, cuts) => {
      const at = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].sort((a, b) => a - b);
      const pieces = [0, ...at].map((from, index) => text.slice(from, at[index] ?? text.length));
      assert.equal(shown(pieces, [sequence]), text.split(sequence)[0]);
    }),
    { numRuns: 2000 },
  );
});

test('what was shown never holds, nor ends in, a part of a match', () => {
  fc.assert(
    fc.property(texts, fc.array(stop, { minLength: 1, maxLength: 4 }), (text, stops) => {
      const result = shown([...text], stops);
      assert.ok(stops.every((sequence) => !result.includes(sequence)));
      assert.ok(text.startsWith(result));
    }),
    { numRuns: 2000 },
  );
});

test('a text is shown at once as far as it cannot begin a stop sequence', () => {
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
    ['One', '', true],
  );
});
