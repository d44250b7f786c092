import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { schemaErrors } from '../support/openapi/validate.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { type RunningService, startService } from '../support/service.ts';
import { callsOf, camera, input, patch } from './client-tools.ts';
import { testForcedCalls } from './forced-calls.ts';

// The demo model does not know these functions. It calls them because the grammar allows nothing else.

let running: RunningService;
let openai: OpenAI;
let anthropic: Anthropic;
const png = await drawShape({ shape: 'circle', color: 'red' });
before(async () => {
  running = await startService();
  openai = new OpenAI({ baseURL: `${running.url}/v1`, apiKey: 'none', maxRetries: 0 });
  anthropic = new Anthropic({ baseURL: running.url, apiKey: 'none', maxRetries: 0 });
});
after(() => running.stop());

const paint = {
  name: 'paint',
  parameters: {
    type: 'object' as const,
    $defs: { Color: { enum: ['green', 'blue'] } },
    properties: { color: { $ref: '#/$defs/Color' } },
    required: ['color'],
    additionalProperties: false,
  },
};
const wait = { name: 'wait', parameters: null };
const colors = /^\{"color": "(green|blue)"\}$/;

const chat = {
  model: 'demo',
  messages: [
    {
      role: 'user' as const,
      content: [
        { type: 'image_url' as const, image_url: { url: toDataUrl(png, 'image/png') } },
        { type: 'text' as const, text: 'What is in this image?' },
      ],
    },
  ],
  tools: [wait, paint].map(({ name, parameters }) => ({
    type: 'function' as const,
    function: { name, ...(parameters === null ? {} : { parameters }) },
  })),
  tool_choice: { type: 'function' as const, function: { name: 'paint' } },
};

function callOf(completion: OpenAI.ChatCompletion) {
  const [choice] = completion.choices;
  const [call, ...more] = choice?.message.tool_calls ?? [];
  assert.ok(call?.type === 'function');
  assert.match(call.id, /^call_/);
  assert.deepEqual(
    [choice?.message.content, choice?.finish_reason, more],
    [null, 'tool_calls', []],
  );
  return call.function;
}

test('a named function is called in chat completions', async () => {
  const whole = await openai.chat.completions.create(chat);
  assert.deepEqual(schemaErrors('CreateChatCompletionResponse', whole), []);
  const stream = openai.chat.completions.stream(chat);
  const chunks: unknown[] = [];
  stream.on('chunk', (chunk) => chunks.push(chunk));
  const streamed = await stream.finalChatCompletion();
  for (const completion of [whole, streamed]) {
    const { name, arguments: text } = callOf(completion);
    assert.equal(name, 'paint');
    assert.match(text, colors);
  }
  for (const chunk of chunks) {
    assert.deepEqual(schemaErrors('CreateChatCompletionStreamResponse', chunk), []);
  }
  assert.ok(chunks.length > 5, 'the arguments are streamed');
});

test('with tool_choice required, one of the functions is called', async () => {
  const { name } = callOf(
    await openai.chat.completions.create({ ...chat, tool_choice: 'required' }),
  );
  assert.ok(['wait', 'paint'].includes(name));
});

test('a function without parameters is called with an empty object', async () => {
  const tool_choice = { type: 'function' as const, function: { name: 'wait' } };
  const called = callOf(await openai.chat.completions.create({ ...chat, tool_choice }));
  assert.deepEqual(called, { name: 'wait', arguments: '{}' });
});

test('with n, every answer is a call', async () => {
  const { choices } = await openai.chat.completions.create({ ...chat, n: 2, temperature: 1 });
  assert.deepEqual(
    choices.map(({ message }) => message.tool_calls?.length),
    [1, 1],
  );
});

test('a named function is called in Responses', async () => {
  const asked = {
    model: 'demo',
    input: [
      {
        role: 'user' as const,
        content: [
          {
            type: 'input_image' as const,
            image_url: toDataUrl(png, 'image/png'),
            detail: 'auto' as const,
          },
        ],
      },
    ],
    tools: [{ type: 'function' as const, ...paint, strict: true }],
    tool_choice: { type: 'function' as const, name: 'paint' },
  };
  const whole = await openai.responses.create(asked);
  const streamed = await openai.responses.stream(asked).finalResponse();
  for (const { output, status } of [whole, streamed]) {
    const [call, ...more] = output;
    assert.ok(call?.type === 'function_call');
    assert.match(call.arguments, colors);
    assert.deepEqual([call.name, status, more], ['paint', 'completed', []]);
  }
});

test('a named tool is used in Messages', async () => {
  const data = png.toString('base64');
  const source = { type: 'base64' as const, media_type: 'image/png' as const, data };
  const asked = {
    model: 'demo',
    max_tokens: 200,
    messages: [{ role: 'user' as const, content: [{ type: 'image' as const, source }] }],
    tools: [{ name: 'paint', input_schema: paint.parameters }],
    tool_choice: { type: 'tool' as const, name: 'paint' },
  };
  const whole = await anthropic.messages.create(asked);
  const streamed = await anthropic.messages.stream(asked).finalMessage();
  for (const { content, stop_reason } of [whole, streamed]) {
    const [use, ...more] = content;
    assert.ok(use?.type === 'tool_use');
    assert.match(JSON.stringify(use.input), /^\{"color":"(green|blue)"\}$/);
    assert.deepEqual([use.name, stop_reason, more], ['paint', 'tool_use', []]);
  }
});

testForcedCalls('chat', () => running.url);

test('a custom tool with a regular expression is called with a matching input', async () => {
  const format = { type: 'grammar', syntax: 'regex', definition: '[a-c]{2}/\\d' };
  const [call] = await callsOf(running.url, {
    input,
    tools: [camera, { ...patch, format }],
    tool_choice: { type: 'custom', name: 'apply_patch' },
    max_output_tokens: 60,
  });
  assert.equal(call?.type, 'custom_tool_call');
  assert.match(call.input ?? '', /^[a-c]{2}\/\d$/);
});
