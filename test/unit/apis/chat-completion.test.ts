import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChatCompletionEvents, toChatCompletion } from '../../../server/apis/chat/answer.ts';
import { Answer, CollectedAnswer } from '../../../server/generation/answer.ts';
import type { ChatChunk } from '../../../server/runtime/protocol.ts';

const options = { stopSequences: [], parallelToolCalls: true, tools: undefined };

const head = { requestId: '1', created: 7, model: 'm', systemFingerprint: 'mlx_vlm-0' };
const usage = { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 };
const shownUsage = {
  ...usage,
  prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
  completion_tokens_details: {
    reasoning_tokens: 0,
    audio_tokens: 0,
    accepted_prediction_tokens: 0,
    rejected_prediction_tokens: 0,
  },
};

const says = (content: string): ChatChunk => ({ choices: [{ delta: { content } }] });
const ends = (finish_reason: string): ChatChunk => ({ choices: [{ delta: {}, finish_reason }] });
const nothing = { content: '', reasoning: '', toolCalls: [], logprobs: [] };
const counts: ChatChunk = { choices: [], usage };

/** A completion of answers with these chunks. */
function completionOf(answers: ChatChunk[][], stops: string[] = []) {
  return toChatCompletion(
    head,
    answers.map((chunks) => {
      const [answer, collected] = [
        new Answer({ ...options, stopSequences: stops }),
        new CollectedAnswer(),
      ];
      for (const chunk of chunks) collected.add(answer.add(chunk) ?? nothing);
      collected.add(answer.end() ?? nothing);
      return { answer, collected };
    }),
  );
}

/** The stream of answers with these chunks. */
function streamOf(answers: ChatChunk[][], { stops = [] as string[], includeUsage = false } = {}) {
  const writer = new ChatCompletionEvents(head, includeUsage);
  const generated = answers.map(() => new Answer({ ...options, stopSequences: stops }));
  let text = '';
  for (const [index, answer] of generated.entries()) {
    const deltas = [...(answers[index] ?? []).map((chunk) => answer.add(chunk)), answer.end()];
    for (const delta of deltas) if (delta !== undefined) text += writer.delta(index, delta);
    text += writer.finish(index, answer);
  }
  return text + writer.end(generated);
}

function events(text: string): unknown[] {
  return text
    .split('\n\n')
    .filter((event) => event.startsWith('data: {'))
    .map((event) => JSON.parse(event.slice('data: '.length)));
}

function choice(delta: object, finish_reason: string | null = null, index = 0) {
  return {
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 7,
    model: 'm',
    service_tier: 'default',
    system_fingerprint: 'mlx_vlm-0',
    choices: [{ index, delta, logprobs: null, finish_reason }],
  };
}

const begins = { role: 'assistant', content: '', refusal: null };

test('a response that is not streamed has the form of the API reference', () => {
  assert.deepEqual(completionOf([[says('A red'), says(' circle.'), ends('stop'), counts]]), {
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 7,
    model: 'm',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: 'A red circle.', refusal: null, annotations: [] },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    usage: shownUsage,
    service_tier: 'default',
    system_fingerprint: 'mlx_vlm-0',
  });
});

test('the reasoning is in the field that clients read, and its tokens are counted', () => {
  const thinks: ChatChunk = { choices: [{ delta: { reasoning: 'Hm.' } }] };
  const { choices, usage } = completionOf([[thinks, says('Red.'), ends('stop'), counts]]);
  assert.deepEqual(
    [choices[0]?.message, usage.completion_tokens_details.reasoning_tokens],
    [
      {
        role: 'assistant',
        content: 'Red.',
        refusal: null,
        annotations: [],
        reasoning_content: 'Hm.',
      },
      1,
    ],
  );
});

test('several answers have an index each, and their usage adds up with the prompt counted once', () => {
  const { choices, usage } = completionOf([
    [says('A'), ends('stop'), counts],
    [says('B'), ends('length'), counts],
  ]);
  assert.deepEqual(
    choices.map(({ index, message, finish_reason }) => [index, message.content, finish_reason]),
    [
      [0, 'A', 'stop'],
      [1, 'B', 'length'],
    ],
  );
  assert.deepEqual([usage.prompt_tokens, usage.completion_tokens, usage.total_tokens], [5, 4, 9]);
});

const call = (...tool_calls: object[]): ChatChunk => ({ choices: [{ delta: { tool_calls } }] });

test('tool calls are assembled from their deltas', () => {
  const { message, finish_reason } =
    completionOf([
      [
        call({
          index: 0,
          id: 'call_1',
          type: 'function',
          function: { name: 'f', arguments: '{"a"' },
        }),
        call({ index: 0, function: { arguments: ':1}' } }),
        ends('tool_calls'),
      ],
    ]).choices[0] ?? {};
  assert.deepEqual(
    [message?.content, message?.tool_calls, finish_reason],
    [
      null,
      [{ id: 'call_1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } }],
      'tool_calls',
    ],
  );
});

test('without parallel_tool_calls an answer is complete when a second call starts', () => {
  const answer = new Answer({ ...options, parallelToolCalls: false });
  const first = { index: 0, id: 'call_1', function: { name: 'f', arguments: '{}' } };
  const second = { index: 1, id: 'call_2', function: { name: 'g', arguments: '{}' } };
  assert.deepEqual(answer.add(call(first))?.toolCalls, [first]);
  assert.equal(answer.isComplete, false);
  assert.equal(answer.add(call(second)), undefined);
  assert.deepEqual([answer.isComplete, answer.finishReason], [true, 'tool_calls']);
});

test('a stream has the role once, then only new content, then the finish reason', () => {
  const text = streamOf([[says('A'), says(''), says(' red'), ends('length')]]);
  assert.deepEqual(events(text), [
    choice(begins),
    choice({ content: 'A' }),
    choice({ content: ' red' }),
    choice({}, 'length'),
  ]);
  assert.ok(text.endsWith('data: [DONE]\n\n'));
});

test('a stream of several answers has an index, a role and a finish reason for each', () => {
  const text = streamOf([
    [says('A'), ends('stop')],
    [says('B'), ends('stop')],
  ]);
  assert.deepEqual(events(text), [
    choice(begins),
    choice({ content: 'A' }),
    choice({}, 'stop'),
    choice(begins, null, 1),
    choice({ content: 'B' }, null, 1),
    choice({}, 'stop', 1),
  ]);
});

test('a stream ends with a chunk for the usage if requested', () => {
  const text = streamOf([[says('A'), ends('stop'), counts]], { includeUsage: true });
  const last = events(text).at(-1) as { choices: unknown[]; usage: unknown };
  assert.deepEqual([last.choices, last.usage], [[], shownUsage]);
});

test('a stream shows no part of a stop sequence', () => {
  const text = streamOf([[says('A red cir'), says('cle.')]], { stops: [' circle'] });
  assert.deepEqual(events(text).slice(1), [choice({ content: 'A red' }), choice({}, 'stop')]);
});
