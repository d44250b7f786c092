import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chatDialect } from '../../../server/apis/chat/dialect.ts';
import { imagesOf } from '../../../server/generation/conversation.ts';
import { refuseTooManyImages, toRuntimeRequest } from '../../../server/generation/request.ts';
import type { ReadyLine } from '../../../server/runtime/protocol.ts';

const model: ReadyLine = {
  event: 'ready',
  model: '/models/demo',
  model_type: 'qwen2_vl',
  quantization: null,
  sees_images: true,
  load_seconds: 1,
  memory_bytes: 1,
  context_length: 4096,
  vocab_size: 1024,
  media_tokens: ['<|image_pad|>'],
  template_names: [],
  template: { tools: 'native', thinking: 'none', reasoning_effort: false } as const,
  device: 'cpu',
  versions: {},
};
const image = (url: unknown) => ({ type: 'image_url', image_url: url });
const text = (words: string) => ({ type: 'text', text: words });
const ask = (body: object) => chatDialect.read(body).request;
const body = {
  model: 'somebody/else',
  user: 'me',
  seed: -3,
  max_completion_tokens: 20,
  temperature: null,
  top_p: 0.5,
  stop: 'x',
  messages: [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: [text('This?'), image({ url: 'http://a/1.png', detail: 'low' })] },
    { role: 'assistant', content: null, tool_calls: null },
    { role: 'user', content: [image('http://a/2.png'), text('And this?')], name: null },
  ],
};
const conversation = ask(body);

test('images are found anywhere in the history, with their paths', () => {
  assert.deepEqual(imagesOf(conversation.messages), [
    { type: 'image', url: 'http://a/1.png', param: 'messages.1.content.1', isLowDetail: true },
    { type: 'image', url: 'http://a/2.png', param: 'messages.3.content.0', isLowDetail: false },
  ]);
});

test("the runtime's request names the loaded model, with loaded images and no nulls", () => {
  assert.deepEqual(toRuntimeRequest(conversation, ['data:1', 'data:2'], model, 0), {
    model: '/models/demo',
    stream: true,
    stream_options: { include_usage: true },
    context_management: [],
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: [text('This?'), image({ url: 'data:1' })] },
      { role: 'assistant', content: '' },
      { role: 'user', content: [image({ url: 'data:2' }), text('And this?')] },
    ],
    seed: 2654435762, // differs from that of 3
    max_tokens: 20,
    top_p: 0.5,
  });
});

test('without a seed each request gets a random one', () => {
  const unseeded = ask({ ...body, seed: null });
  const seeds = Array.from({ length: 8 }, () => toRuntimeRequest(unseeded, [], model, 0)['seed']);
  assert.ok(new Set(seeds).size > 1);
});

test('a logit bias for a token that the model does not have is refused', () => {
  const biased = ask({ ...body, logit_bias: { '1024': 1 } });
  assert.throws(() => toRuntimeRequest(biased, [], model, 0), {
    param: 'logit_bias.1024',
    message: 'The token ids in `logit_bias` must be below 1024 (got 1024).',
  });
});

test('a top_k beyond the model’s vocabulary is refused', () => {
  assert.throws(() => toRuntimeRequest(ask({ ...body, top_k: 1025 }), [], model, 0), {
    param: 'top_k',
    message: '`top_k` must be at most 1024, the size of the vocabulary (got 1025).',
  });
});

test('an image token in text is refused with its path', () => {
  const marked = ask({
    messages: [{ role: 'user', content: [text('ok'), text('a <|image_pad|> b')] }],
  });
  assert.throws(() => toRuntimeRequest(marked, [], model, 0), {
    param: 'messages.0.content.1.text',
    code: 'media_token_in_text',
    status: 400,
  });
});

test("an image token in a tool's definition is refused with its path", () => {
  const parameters = { properties: { a: { description: 'Such as <|image_pad|>.' } } };
  const tools = [{ name: 'look' }, { name: 'listen', parameters }];
  const marked = ask({
    messages: [{ role: 'user', content: 'Hi' }],
    tools: tools.map((tool) => ({ type: 'function', function: tool })),
  });
  assert.throws(() => toRuntimeRequest(marked, [], model, 0), {
    param: 'tools.1',
    code: 'media_token_in_text',
  });
});

test('images of tools follow in a user message, directly after the tool messages', () => {
  const { messages } = toRuntimeRequest(
    ask({
      messages: [
        { role: 'user', content: [image('http://a/1.png')] },
        {
          role: 'assistant',
          tool_calls: ['a', 'b'].map((id) => ({
            id,
            type: 'function',
            function: { name: 'look', arguments: '{}' },
          })),
        },
        { role: 'tool', tool_call_id: 'a', content: [text('Seen.'), image('http://a/2.png')] },
        { role: 'tool', tool_call_id: 'b', content: [image('http://a/3.png')] },
        { role: 'user', content: [image('http://a/4.png')] },
      ],
    }),
    ['1', '2', '3', '4'],
    model,
    0,
  );
  const shown = (...urls: string[]) => urls.map((url) => image({ url }));
  const note = text('[Image: see the next message]');
  assert.deepEqual(messages.slice(2), [
    { role: 'tool', tool_call_id: 'a', content: [text('Seen.'), note] },
    { role: 'tool', tool_call_id: 'b', content: note.text },
    { role: 'user', content: shown('2', '3') },
    { role: 'user', content: shown('4') },
  ]);
});

test('each answer of a request has its own seed', () => {
  const seeded = ask({ ...body, seed: 5, n: 3 });
  assert.deepEqual(
    [0, 1, 2].map((index) => toRuntimeRequest(seeded, [], model, index)['seed']),
    [5, 6, 7],
  );
});

test('a forced call takes precedence over a response_format', () => {
  const tools = [{ type: 'function', function: { name: 'look' } }];
  const forced = ask({
    ...body,
    tools,
    tool_choice: 'required',
    response_format: { type: 'json_object' },
  });
  const { response_format } = toRuntimeRequest(forced, ['1', '2'], model, 0) as {
    response_format?: { type: string; json_schema?: { name: string } };
  };
  assert.deepEqual(
    [response_format?.type, response_format?.json_schema?.name],
    ['json_schema', 'call'],
  );
});

const many = (count: number) =>
  ask({ messages: [{ role: 'user', content: Array(count).fill(image('data:,')) }] });
for (const [count, context, code] of [
  [10, 10, 'context_length_exceeded'],
  [1501, 1_000_000, 'too_many_images'],
  [1501, null, 'too_many_images'],
] as const) {
  test(`${count} images are refused for a context of ${context} tokens`, () => {
    assert.throws(() => refuseTooManyImages(many(count), context), { code, param: 'messages' });
    const loaded = { ...model, context_length: context };
    assert.throws(() => toRuntimeRequest(many(count), [], loaded, 0), { code });
  });
}

test('images that may fit in the context are not refused', () => {
  refuseTooManyImages(many(9), 10);
  refuseTooManyImages(many(1500), null);
});

const calling = (written: string) =>
  ask({
    messages: [
      { role: 'user', content: 'Look.' },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: written } }],
      },
      { role: 'tool', tool_call_id: 'a', content: 'Seen.' },
    ],
  });
const argumentsFor = (written: string) =>
  JSON.parse(JSON.stringify(toRuntimeRequest(calling(written), [], model, 0))).messages[1]
    .tool_calls[0].function.arguments;

test('lone surrogates in the arguments of a call are replaced, pairs are kept', () => {
  for (const [written, shown] of [
    ['{"a": "\\ud83d"}', '{"a": "\\ufffd"}'],
    ['{"a": "\\uDE00 b"}', '{"a": "\\ufffd b"}'],
    ['{"a": "\\ud83d\\ude00 \\u00e9 \\n"}', '{"a": "\\ud83d\\ude00 \\u00e9 \\n"}'],
    ['{"a": "C:\\\\ud83d"}', '{"a": "C:\\\\ud83d"}'],
  ] as const) {
    assert.equal(argumentsFor(written), shown);
  }
});

test('arguments nested too deeply are refused with their path', () => {
  const nested = (depth: number, text = '') => '['.repeat(depth) + text + ']'.repeat(depth);
  assert.equal(argumentsFor(nested(100, '"[[["')), nested(100, '"[[["'));
  for (const deep of [nested(101), '['.repeat(5000)]) {
    assert.throws(() => argumentsFor(deep), { param: /^messages\.1\.tool_calls\.0/ });
  }
});
