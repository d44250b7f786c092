import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Answer, CollectedAnswer } from '../../../server/generation/answer.ts';
import type { ChatChunk } from '../../../server/runtime/protocol.ts';

const options = { stopSequences: [], parallelToolCalls: true, tools: undefined };

const entryOf = (token: string | number[]) => ({
  token: typeof token === 'string' ? token : Buffer.from(token).toString(),
  logprob: -1,
  bytes: [...Buffer.from(token)],
});
const withLogprob = (token: string | number[], delta: object = { content: token }): ChatChunk => ({
  choices: [{ delta, logprobs: { content: [entryOf(token)] } }],
});

function collect(tokens: readonly string[], stops: readonly string[]) {
  const [answer, collected] = [
    new Answer({ ...options, stopSequences: stops }),
    new CollectedAnswer(),
  ];
  for (const token of tokens) {
    const delta = answer.add(withLogprob(token));
    if (delta !== undefined) collected.add(delta);
  }
  const rest = answer.end();
  if (rest !== undefined) collected.add(rest);
  return collected;
}

test('logprobs contain exactly the tokens of the text that is shown', () => {
  const token = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.array(token), fc.array(token, { maxLength: 3 }), (tokens, stops) => {
      const { content, logprobs } = collect(tokens, stops);
      const entries = (logprobs as { token: string }[]).map((entry) => entry.token);
      const whole = tokens.filter(
        (_, index) => tokens.slice(0, index + 1).join('').length <= content.length,
      );
      assert.deepEqual(entries, whole);
    }),
    { numRuns: 3000 },
  );
});

/** The text of an answer with these chunks, and the bytes of its logprobs. */
function collectText(chunks: readonly ChatChunk[]) {
  const [answer, collected] = [new Answer(options), new CollectedAnswer()];
  for (const chunk of chunks) {
    const delta = answer.add(chunk);
    if (delta !== undefined) collected.add(delta);
  }
  const rest = answer.end();
  if (rest !== undefined) collected.add(rest);
  const entries = collected.logprobs as ReturnType<typeof entryOf>[];
  return [collected.content, Buffer.from(entries.flatMap(({ bytes }) => bytes)).toString()];
}

const fox = [...Buffer.from('🦊')];
const chunksOf: Record<string, [chunks: ChatChunk[], text: string]> = {
  'a character of several tokens': [
    [
      withLogprob('A '),
      withLogprob(fox.slice(0, 1), {}),
      withLogprob(fox.slice(1, 3), { content: '' }),
      withLogprob(fox.slice(3), { content: '🦊' }),
      withLogprob('!'),
    ],
    'A 🦊!',
  ],
  'a first token that has lost its space': [
    [withLogprob(' A', { content: 'A' }), withLogprob(' dog')],
    'A dog',
  ],
  'a thought before the answer': [
    [
      withLogprob('<think>', {}),
      withLogprob('Hm', { reasoning: 'Hm' }),
      withLogprob('.', { reasoning: '.' }),
      withLogprob('</think>', {}),
      withLogprob('\n\n', {}),
      withLogprob('A dog', { content: 'A dog' }),
    ],
    'A dog',
  ],
  'a call after the text': [
    [
      withLogprob('Look'),
      withLogprob('<tool_call>', {}),
      withLogprob('{}', {
        tool_calls: [{ index: 0, id: 'c', function: { name: 'look', arguments: '{}' } }],
      }),
    ],
    'Look',
  ],
  'text that was held back in the middle of a token': [
    [withLogprob('a<', { content: 'a' }), withLogprob('b', { content: '<b' })],
    'a<b',
  ],
};
for (const [what, [chunks, text]] of Object.entries(chunksOf)) {
  test(`the bytes of the logprobs are the text: ${what}`, () => {
    assert.deepEqual(collectText(chunks), [text, text]);
  });
}
