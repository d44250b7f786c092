import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { schemaErrors } from '../support/openapi/validate.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { type ScriptedService, startScriptedService } from '../support/scripted-service.ts';

const service: ScriptedService = await startScriptedService('lfm2-vl');
after(() => service.stop());
const client = { apiKey: 'none', maxRetries: 0 };
const openai = new OpenAI({ baseURL: `${service.url}/v1`, ...client });
const anthropic = new Anthropic({ baseURL: service.url, ...client });
const image = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
const twoCalls = await service.script(
  '<|tool_call_start|>[look(at=1), listen(to=2, how=[1, 2])]<|tool_call_end|>',
);
const parameters = { type: 'object', properties: {}, additionalProperties: true };
const made = [
  ['look', { at: 1 }],
  ['listen', { to: 2, how: [1, 2] }],
];
const read = (calls: readonly { name: string; arguments: string }[]) =>
  calls.map(({ name, arguments: text }) => [name, JSON.parse(text)]);

const chat = {
  model: 'demo',
  messages: [
    {
      role: 'user' as const,
      content: [
        { type: 'image_url' as const, image_url: { url: image } },
        { type: 'text' as const, text: twoCalls },
      ],
    },
  ],
  tools: ['look', 'listen'].map((name) => ({
    type: 'function' as const,
    function: { name, parameters },
  })),
};

function callsOf(completion: OpenAI.ChatCompletion) {
  const [choice] = completion.choices;
  const calls = (choice?.message.tool_calls ?? []).flatMap((call) =>
    call.type === 'function' ? [call.function] : [],
  );
  return { finish_reason: choice?.finish_reason, calls: read(calls) };
}

test('chat completions return the model’s calls', async () => {
  const completion = await openai.chat.completions.create(chat);
  assert.deepEqual(callsOf(completion), { finish_reason: 'tool_calls', calls: made });
  assert.deepEqual(schemaErrors('CreateChatCompletionResponse', completion), []);
});

test('streamed chat completions return calls with their index', async () => {
  const stream = openai.chat.completions.stream(chat);
  const chunks: unknown[] = [];
  stream.on('chunk', (chunk) => chunks.push(chunk));
  const completion = await stream.finalChatCompletion();
  assert.deepEqual(callsOf(completion), { finish_reason: 'tool_calls', calls: made });
  for (const chunk of chunks) {
    assert.deepEqual(schemaErrors('CreateChatCompletionStreamResponse', chunk), []);
  }
});

test('with parallel_tool_calls false the answer ends after its first call', async () => {
  const alone = { ...chat, parallel_tool_calls: false };
  const expected = { finish_reason: 'tool_calls', calls: made.slice(0, 1) };
  assert.deepEqual(callsOf(await openai.chat.completions.create(alone)), expected);
  const stream = openai.chat.completions.stream(alone);
  assert.deepEqual(callsOf(await stream.finalChatCompletion()), expected);
});

test('with tool_choice none, the model calls nothing', async () => {
  const completion = await openai.chat.completions.create({ ...chat, tool_choice: 'none' });
  assert.deepEqual(callsOf(completion), { finish_reason: 'stop', calls: [] });
});

const responses = {
  model: 'demo',
  input: [
    {
      role: 'user' as const,
      content: [
        { type: 'input_image' as const, image_url: image, detail: 'auto' as const },
        { type: 'input_text' as const, text: twoCalls },
      ],
    },
  ],
  tools: ['look', 'listen'].map((name) => ({
    type: 'function' as const,
    name,
    parameters,
    strict: false,
  })),
};

test('Responses return calls as items, and accept them with their outputs', async () => {
  const first = await openai.responses.create(responses);
  const calls = first.output.flatMap((item) => (item.type === 'function_call' ? [item] : []));
  assert.deepEqual(read(calls), made);
  const outputs = calls.map(({ call_id }) => ({
    type: 'function_call_output' as const,
    call_id,
    output: 'Done.',
  }));
  const next = await openai.responses.create({
    ...responses,
    previous_response_id: first.id,
    input: outputs,
  });
  assert.equal(next.status, 'completed');
});

test('a streamed response has well-formed events for each call', async () => {
  const events: OpenAI.Responses.ResponseStreamEvent[] = [];
  const stream = openai.responses.stream(responses);
  for await (const event of stream) events.push(event);
  for (const event of events) {
    assert.deepEqual(schemaErrors('ResponseStreamEvent', event), [], event.type);
  }
  const { output } = await stream.finalResponse();
  const calls = output.flatMap((item) => (item.type === 'function_call' ? [item] : []));
  assert.deepEqual(read(calls), made);
});

const messages = {
  model: 'demo',
  max_tokens: 500,
  messages: [
    {
      role: 'user' as const,
      content: [
        {
          type: 'image' as const,
          source: {
            type: 'base64' as const,
            media_type: 'image/png' as const,
            data: image.split(',')[1] ?? '',
          },
        },
        { type: 'text' as const, text: twoCalls },
      ],
    },
  ],
  tools: ['look', 'listen'].map((name) => ({ name, input_schema: { type: 'object' as const } })),
};
const usesOf = ({ content }: Anthropic.Message) =>
  content.flatMap((block) => (block.type === 'tool_use' ? [[block.name, block.input]] : []));

test('Messages return calls as blocks, streamed or not', async () => {
  const message = await anthropic.messages.create(messages);
  assert.deepEqual([usesOf(message), message.stop_reason], [made, 'tool_use']);
  const streamed = await anthropic.messages.stream(messages).finalMessage();
  assert.deepEqual([usesOf(streamed), streamed.stop_reason], [made, 'tool_use']);
});

const thoughtful = await service.script('<think>Hm.</think>Red.');
const asksIt = [{ role: 'user' as const, content: thoughtful }];

test('chat completions separate reasoning from the answer', async () => {
  const asked = { model: 'demo', messages: asksIt };
  const whole = (await openai.chat.completions.create(asked)).choices[0]?.message;
  let [content, reasoning] = ['', ''];
  for await (const { choices } of await openai.chat.completions.create({
    ...asked,
    stream: true,
  })) {
    const delta = choices[0]?.delta as { content?: string; reasoning_content?: string };
    content += delta.content ?? '';
    reasoning += delta.reasoning_content ?? '';
  }
  const { reasoning_content } = whole as { reasoning_content?: string };
  assert.deepEqual([whole?.content, reasoning_content], ['Red.', 'Hm.']);
  assert.deepEqual([content, reasoning], ['Red.', 'Hm.']);
});

test('Responses return reasoning as a separate item', async () => {
  const asked = { model: 'demo', input: thoughtful };
  const whole = await openai.responses.create(asked);
  const events: OpenAI.Responses.ResponseStreamEvent[] = [];
  for await (const event of await openai.responses.create({ ...asked, stream: true })) {
    events.push(event);
  }
  for (const event of events) {
    assert.deepEqual(schemaErrors('ResponseStreamEvent', event), [], event.type);
  }
  const last = events.at(-1);
  assert.ok(last?.type === 'response.completed');
  for (const { output } of [whole, last.response]) {
    const kinds = output.map(({ type }) => type);
    assert.deepEqual(kinds, ['reasoning', 'message']);
    assert.match(JSON.stringify(output[1]), /"Red\."/);
  }
});

test('Messages return thinking only if requested', async () => {
  const asked = { model: 'demo', max_tokens: 500, messages: asksIt };
  const kinds = ({ content }: Anthropic.Message) => content.map(({ type }) => type);
  const thinking = { type: 'enabled' as const, budget_tokens: 1024 };
  for (const ask of [
    (extra: object) => anthropic.messages.create({ ...asked, ...extra }),
    (extra: object) => anthropic.messages.stream({ ...asked, ...extra }).finalMessage(),
  ]) {
    assert.deepEqual(kinds((await ask({})) as Anthropic.Message), ['text']);
    assert.deepEqual(kinds((await ask({ thinking })) as Anthropic.Message), ['thinking', 'text']);
  }
});
