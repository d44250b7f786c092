import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Answer } from '../../../server/generation/answer.ts';
import { CollectedAnswer } from '../../../server/generation/collected-answer.ts';
import type { ChatChunk } from '../../../server/runtime/chat-protocol.ts';

const asked = { stops: [], parallelToolCalls: true, tools: undefined };

const withLogprob = (token: string): ChatChunk => ({
  choices: [{ delta: { content: token }, logprobs: { content: [{ token, logprob: -1 }] } }],
});

function collect(tokens: readonly string[], stops: readonly string[]) {
  const [answer, collected] = [new Answer({ ...asked, stops }), new CollectedAnswer()];
  for (const token of tokens) {
    const delta = answer.add(withLogprob(token));
    if (delta !== undefined) collected.add(delta);
  }
  const rest = answer.end();
  if (rest !== undefined) collected.add(rest);
  return collected;
}

test('logprobs never tell a token that the text does not show, and miss none that it shows', () => {
  const token = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.array(token), fc.array(token, { maxLength: 3 }), (tokens, stops) => {
      const { content, logprobs } = collect(tokens, stops);
      const told = (logprobs as { token: string }[]).map((entry) => entry.token);
      const whole = tokens.filter(
        (_, index) => tokens.slice(0, index + 1).join('').length <= content.length,
      );
      assert.deepEqual(told, whole);
    }),
    { numRuns: 3000 },
  );
});
