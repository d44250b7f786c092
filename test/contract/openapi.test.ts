import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventsOf, postTo } from '../support/api.ts';
import { question } from '../support/chat.ts';
import { type SchemaName, schemaErrors, unknownFields } from '../support/openapi/validate.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { type RunningService, startService } from '../support/service.ts';

let running: RunningService;
const image = toDataUrl(await drawShape({ shape: 'star', color: 'blue' }), 'image/png');
const input = [
  {
    role: 'user',
    content: [
      { type: 'input_text', text: 'What is in this image?' },
      { type: 'input_image', image_url: image },
    ],
  },
];
before(async () => {
  running = await startService();
});
after(() => running.stop());

/** Newer than the stored specification, or read by clients though undocumented. */
const ALLOWED = [
  ...['cache_write_tokens', 'access_programs', 'reasoning_content'],
  // Of the Open Responses specification.
  ...['store', 'presence_penalty', 'frequency_penalty', 'bytes'],
];

function assertFits(name: SchemaName, body: unknown): void {
  assert.deepEqual(schemaErrors(name, body), [], JSON.stringify(body));
  assert.deepEqual(unknownFields(name, body, ALLOWED), [], JSON.stringify(body));
}

for (const [what, extra] of [
  ['an answer', {}],
  ['an answer with logprobs', { logprobs: true, top_logprobs: 2 }],
  ['an answer that was cut', { max_tokens: 2 }],
  ['several answers', { n: 2, temperature: 1 }],
] as const) {
  test(`${what} fits OpenAI’s published schema`, async () => {
    const { body } = await postTo(running.url, '/v1/chat/completions', question(image, extra));
    assertFits('CreateChatCompletionResponse', body);
  });

  test(`every chunk of ${what} fits OpenAI’s published schema`, async () => {
    const asked = question(image, { ...extra, stream_options: { include_usage: true } });
    const events = await eventsOf(running.url, '/v1/chat/completions', asked);
    assert.equal(events.pop()?.data, '[DONE]');
    assert.ok(events.length > 3);
    for (const { data } of events) assertFits('CreateChatCompletionStreamResponse', data);
  });
}

for (const [what, extra] of [
  ['a response', {}],
  ['a response with logprobs', { include: ['message.output_text.logprobs'], top_logprobs: 1 }],
  ['a response that was cut', { max_output_tokens: 2 }],
  [
    'a response with everything asked for',
    {
      instructions: 'Be brief.',
      metadata: { a: 'b' },
      tools: [{ type: 'function', name: 'look', parameters: { type: 'object' } }],
      tool_choice: 'auto',
      text: {
        format: { type: 'json_schema', name: 'colour', schema: { type: 'object' } },
      },
      reasoning: { effort: 'low' },
      temperature: 0.5,
      top_p: 0.9,
      max_output_tokens: 20,
    },
  ],
] as const) {
  test(`${what} fits OpenAI’s published schema`, async () => {
    const { body } = await postTo(running.url, '/v1/responses', { input, ...extra });
    assertFits('Response', body);
  });

  test(`every event of ${what} fits OpenAI’s published schema`, async () => {
    const events = await eventsOf(running.url, '/v1/responses', { input, ...extra });
    assert.ok(events.length > 3);
    for (const [index, { event, data }] of events.entries()) {
      assertFits('ResponseStreamEvent', data);
      assert.deepEqual([event, index], [data.type, data.sequence_number]);
    }
  });
}

test('the models fit OpenAI’s published schema, with other servers’ fields beside it', async () => {
  const list = await (await fetch(`${running.url}/v1/models`)).json();
  assert.deepEqual(schemaErrors('ListModelsResponse', list), []);
  const model = await (await fetch(`${running.url}/v1/models/demo`)).json();
  assert.deepEqual(schemaErrors('Model', model), []);
});

test('an error fits OpenAI’s published schema, with the seed’s detail beside it', async () => {
  const { body } = await postTo(running.url, '/v1/chat/completions', { messages: 5 });
  const { detail, ...rest } = body;
  assert.equal(typeof detail, 'string');
  assertFits('ErrorResponse', rest);
});
