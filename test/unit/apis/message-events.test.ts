import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageEvents } from '../../../server/apis/messages/answer.ts';
import { Answer } from '../../../server/generation/answer.ts';

const head = { requestId: 'r', created: 0, model: 'm', systemFingerprint: 's' };
const nothing = { content: '', reasoning: '', toolCalls: [], logprobs: [] };
const call = (index: number) => ({
  ...nothing,
  toolCalls: [{ index, id: `call_${index}`, function: { name: 'look', arguments: '{}' } }],
});

/** The type and block of every event of a stream. */
function eventsOf(deltas: (typeof nothing | ReturnType<typeof call>)[], showsThinking = true) {
  const events = new MessageEvents(head, showsThinking);
  const answer = new Answer({ stopSequences: [], parallelToolCalls: true, tools: undefined });
  const written =
    deltas.map((delta) => events.delta(0, delta, answer)).join('') + events.finish(0, answer);
  return written
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => JSON.parse(line.slice(6)))
    .map(({ type, index, content_block }) =>
      [type, index, content_block?.type].filter((x) => x !== undefined).join(' '),
    );
}

const end = ['message_delta', 'message_stop'];

test('an empty answer has one empty text block', () => {
  assert.deepEqual(eventsOf([]), [
    'message_start',
    'content_block_start 0 text',
    'content_block_stop 0',
    ...end,
  ]);
});

test('an answer that ends in a call has no text block after it', () => {
  assert.deepEqual(eventsOf([{ ...nothing, content: 'Hm.' }, call(0), call(1)]), [
    'message_start',
    'content_block_start 0 text',
    'content_block_delta 0',
    'content_block_stop 0',
    'content_block_start 1 tool_use',
    'content_block_delta 1',
    'content_block_stop 1',
    'content_block_start 2 tool_use',
    'content_block_delta 2',
    'content_block_stop 2',
    ...end,
  ]);
});

test('an answer with only a call has only its block', () => {
  assert.deepEqual(eventsOf([call(0)]), [
    'message_start',
    'content_block_start 0 tool_use',
    'content_block_delta 0',
    'content_block_stop 0',
    ...end,
  ]);
});

test('thinking that was not requested is hidden, and the answer is an empty text block', () => {
  assert.deepEqual(eventsOf([{ ...nothing, reasoning: 'Hm.' }], false), [
    'message_start',
    'content_block_start 0 text',
    'content_block_stop 0',
    ...end,
  ]);
});
