import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChatCompletion } from '../../../server/openai/chat-completion.ts';
import { ChatCompletionStream } from '../../../server/openai/chat-completion-stream.ts';
import type { ChatChunk } from '../../../server/runtime/chat-protocol.ts';

const head = { id: 'chatcmpl-1', created: 7, model: 'm', systemFingerprint: 'mlx_vlm-0' };
const usage = { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 };
const shownUsage = { ...usage, prompt_tokens_details: { cached_tokens: 0 } };

const says = (content: string): ChatChunk => ({ choices: [{ delta: { content } }] });
const ends = (finish_reason: string): ChatChunk => ({ choices: [{ delta: {}, finish_reason }] });
const counts: ChatChunk = { choices: [], usage };

function events(text: string): unknown[] {
  return text
    .split('\n\n')
    .filter((event) => event.startsWith('data: {'))
    .map((event) => JSON.parse(event.slice('data: '.length)));
}

function choice(delta: object, finish_reason: string | null = null) {
  return {
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 7,
    model: 'm',
    system_fingerprint: 'mlx_vlm-0',
    choices: [{ index: 0, delta, logprobs: null, finish_reason }],
  };
}

test('a whole answer has the form of the API reference', () => {
  const completion = new ChatCompletion(head, []);
  completion.add([says('A red'), says(' circle.'), ends('stop'), counts]);
  assert.deepEqual(completion.toBody(), {
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 7,
    model: 'm',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: 'A red circle.', refusal: null },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    usage: shownUsage,
    system_fingerprint: 'mlx_vlm-0',
  });
});

test('a whole answer gathers its tool calls from their pieces', () => {
  const completion = new ChatCompletion(head, []);
  const call = (delta: object): ChatChunk => ({ choices: [{ delta: { tool_calls: [delta] } }] });
  completion.add([
    call({ index: 0, id: 'call_1', type: 'function', function: { name: 'f', arguments: '{"a"' } }),
    call({ index: 0, function: { arguments: ':1}' } }),
    ends('tool_calls'),
  ]);
  const { message, finish_reason } = completion.toBody().choices[0] ?? {};
  assert.deepEqual(
    [message?.content, message?.tool_calls, finish_reason],
    [
      null,
      [{ id: 'call_1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } }],
      'tool_calls',
    ],
  );
});

test('a stream gives the role once, then only what is new, then why it ended', () => {
  const stream = new ChatCompletionStream(head, [], false);
  const text =
    stream.add([says('A'), says('')]) + stream.add([says(' red'), ends('length')]) + stream.end();
  assert.deepEqual(events(text), [
    choice({ role: 'assistant', content: '', refusal: null }),
    choice({ content: 'A' }),
    choice({ content: ' red' }),
    choice({}, 'length'),
  ]);
  assert.ok(text.endsWith('data: [DONE]\n\n'));
});

test('a stream tells the usage in a chunk of its own when asked to', () => {
  const stream = new ChatCompletionStream(head, [], true);
  const text = stream.add([says('A'), ends('stop'), counts]) + stream.end();
  const last = events(text).at(-1) as { choices: unknown[]; usage: unknown };
  assert.deepEqual([last.choices, last.usage], [[], shownUsage]);
});

test('a stream that stops at a stop sequence shows nothing of it', () => {
  const stream = new ChatCompletionStream(head, [' circle'], false);
  const text = stream.add([says('A red cir'), says('cle.')]) + stream.end();
  assert.equal(stream.answer.stopped, true);
  assert.deepEqual(events(text).slice(1), [choice({ content: 'A red' }), choice({}, 'stop')]);
});
