import assert from 'node:assert/strict';
import { test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { drawShape, toDataUrl } from '../support/pictures.ts';

const png = await drawShape({ shape: 'circle', color: 'red' });
const image_url = toDataUrl(png, 'image/png');
const image = { type: 'image_url' as const, image_url: { url: image_url } };

type Api = 'chat' | 'responses' | 'messages';

/** A forced call on one of the APIs: its arguments, and why the answer ended. */
interface Forced {
  arguments: string;
  ended: string | null | undefined;
}

/** Ways to force a call of `paint` with these parameters and stop sequences. */
const APIS: Record<
  Api,
  (url: string, parameters: Parameters, stop: string[]) => Promise<Forced[]>
> = {
  chat: async (url, parameters, stop) => {
    const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
    const tools = [{ type: 'function' as const, function: { name: 'paint', parameters } }];
    const asked = {
      ...{ model: 'demo', tools, stop, max_tokens: 300 },
      messages: [{ role: 'user' as const, content: [image] }],
      tool_choice: 'required' as const,
    };
    const whole = await openai.chat.completions.create(asked);
    const streamed = await openai.chat.completions.stream(asked).finalChatCompletion();
    return [whole, streamed].map(({ choices: [choice] }) => {
      const call = choice?.message.tool_calls?.[0];
      const text = call?.type === 'function' ? call.function.arguments : '';
      return { arguments: text, ended: choice?.finish_reason };
    });
  },
  responses: async (url, parameters) => {
    const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
    const content = [{ type: 'input_image' as const, image_url, detail: 'auto' as const }];
    const asked = {
      model: 'demo',
      input: [{ role: 'user' as const, content }],
      tools: [{ type: 'function' as const, name: 'paint', parameters, strict: null }],
      tool_choice: 'required' as const,
      max_output_tokens: 300,
    };
    const whole = await openai.responses.create(asked);
    const streamed = await openai.responses.stream(asked).finalResponse();
    for (const { tools } of [whole, streamed]) {
      assert.equal(tools[0]?.type === 'function' && tools[0].strict, false);
    }
    return [whole, streamed].map(({ output: [item], status }) => ({
      arguments: item?.type === 'function_call' ? item.arguments : '',
      ended: status,
    }));
  },
  messages: async (url, parameters, stop_sequences) => {
    const anthropic = new Anthropic({ baseURL: url, apiKey: 'none', maxRetries: 0 });
    const data = png.toString('base64');
    const source = { type: 'base64' as const, media_type: 'image/png' as const, data };
    const asked = {
      model: 'demo',
      max_tokens: 300,
      messages: [{ role: 'user' as const, content: [{ type: 'image' as const, source }] }],
      tools: [{ name: 'paint', input_schema: parameters }],
      tool_choice: { type: 'any' as const },
      stop_sequences,
    };
    const whole = await anthropic.messages.create(asked);
    const streamed = await anthropic.messages.stream(asked).finalMessage();
    return [whole, streamed].map(({ content: [use], stop_reason }) => ({
      arguments: JSON.stringify(use?.type === 'tool_use' ? use.input : undefined),
      ended: stop_reason,
    }));
  },
};

type Parameters = { type: 'object'; [keyword: string]: unknown };

/** A schema as pydantic writes it: it says nothing about further properties, at any depth. */
const open: Parameters = {
  type: 'object',
  properties: {
    color: { enum: ['red', 'blue'] },
    at: { type: 'object', properties: { x: { enum: [1, 2] } }, required: ['x'] },
  },
  required: ['color', 'at'],
};
const ends = ['tool_calls', 'completed', 'tool_use'];

/** Tests that forced calls on this API end, and that stop sequences do not cut them. */
export function testForcedCalls(api: Api, serviceUrl: () => string): void {
  const force = APIS[api];
  test(`a forced call completes although its schema leaves objects open: ${api}`, async () => {
    for (const { arguments: text, ended } of await force(serviceUrl(), open, [])) {
      assert.ok(ends.includes(String(ended)), `${ended}: ${text}`);
      assert.match(text, /^\{"color": ?"(red|blue)", ?"at": ?\{"x": ?[12]\}\}$/);
    }
  });

  if (api === 'responses') return; // It has no stop sequences.
  test(`a stop sequence within the arguments does not truncate a forced call: ${api}`, async () => {
    const red: Parameters = {
      type: 'object',
      properties: { color: { enum: ['red'] } },
      required: ['color'],
    };
    for (const { arguments: text, ended } of await force(serviceUrl(), red, [
      'red',
      '"color"',
      '}',
    ])) {
      assert.ok(ends.includes(String(ended)), `${ended}: ${text}`);
      assert.deepEqual(JSON.parse(text), { color: 'red' });
    }
  });
}
