import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import {
  APICallError,
  generateText,
  type LanguageModel,
  type ModelMessage,
  Output,
  streamText,
  tool,
} from 'ai';
import { z } from 'zod';
import { answer, Picture, png, question, useService } from './fixture.ts';

/** Not `temperature`, because @ai-sdk/anthropic reduces it to 1. */
const refused = { topP: 3 };
const refusal = '`top_p` must be at most 1 (got 3).';

const messages: ModelMessage[] = [
  {
    role: 'user',
    content: [
      { type: 'text', text: question },
      { type: 'file', mediaType: 'image/png', data: png },
    ],
  },
];
const paint = tool({
  description: 'Paints over the picture.',
  inputSchema: z.object({ color: z.string() }),
  execute: () => 'painted',
});
const openai = (baseURL: string) => createOpenAI({ baseURL, apiKey: 'not needed' });

const providers: [name: string, createModel: (baseURL: string) => LanguageModel][] = [
  ['@ai-sdk/openai, Responses', (baseURL) => openai(baseURL)('demo')],
  ['@ai-sdk/openai, chat', (baseURL) => openai(baseURL).chat('demo')],
  [
    '@ai-sdk/openai-compatible',
    (baseURL) =>
      createOpenAICompatible({
        name: 'sightglass',
        baseURL,
        includeUsage: true,
        supportsStructuredOutputs: true,
      })('demo'),
  ],
  ['@ai-sdk/anthropic', (baseURL) => createAnthropic({ baseURL, apiKey: 'not needed' })('demo')],
];

const service = useService();

type GetModel = () => LanguageModel;

for (const [name, createModel] of providers) {
  describe(name, () => {
    const model = () => createModel(`${service.url}/v1`);
    testAnswers(model);
    testTools(model);
    testObjects(model);
    testErrors(model);
  });
}

function testAnswers(model: GetModel): void {
  test('answers about a picture', async () => {
    const { text, finishReason, usage, warnings } = await generateText({
      model: model(),
      messages,
      maxOutputTokens: 60,
    });
    assert.deepEqual([text, finishReason, warnings], [answer, 'stop', []]);
    assert.ok((usage.inputTokens ?? 0) > 0 && (usage.outputTokens ?? 0) > 0);
  });

  test('streams the answer with its usage', async () => {
    const result = streamText({ model: model(), messages });
    const parts: string[] = [];
    for await (const part of result.textStream) parts.push(part);
    assert.equal(parts.join(''), answer);
    assert.ok(parts.length > 1);
    assert.equal(await result.finishReason, 'stop');
    assert.ok(((await result.usage).outputTokens ?? 0) > 0);
  });

  test('asks a follow-up question', async () => {
    const { responseMessages } = await generateText({ model: model(), messages });
    const next: ModelMessage = { role: 'user', content: 'What color is it?' };
    const { text } = await generateText({
      model: model(),
      messages: [...messages, ...responseMessages, next],
    });
    assert.equal(text, 'Green.');
  });
}

function testTools(model: GetModel): void {
  test('accepts a tool that the model does not call', async () => {
    const { text } = await generateText({ model: model(), messages, tools: { paint } });
    assert.equal(text, answer); // the demo model calls no tools
  });

  test('sends a tool result', async () => {
    const call = { toolCallId: 'call_1', toolName: 'paint' };
    const turns: ModelMessage[] = [
      ...messages,
      { role: 'assistant', content: [{ type: 'tool-call', ...call, input: { color: 'red' } }] },
      {
        role: 'tool',
        content: [{ type: 'tool-result', ...call, output: { type: 'text', value: 'painted' } }],
      },
    ];
    const { text } = await generateText({ model: model(), messages: turns, tools: { paint } });
    assert.notEqual(text, '');
  });
}

function testObjects(model: GetModel): void {
  test('parses an object that matches a schema', async () => {
    const { output } = await generateText({
      model: model(),
      messages,
      output: Output.object({ schema: Picture }),
      maxOutputTokens: 60,
    });
    assert.deepEqual(Picture.parse(output), output);
  });

  test('streams an object that matches a schema', async () => {
    const { partialOutputStream } = streamText({
      model: model(),
      messages,
      output: Output.object({ schema: Picture }),
      maxOutputTokens: 60,
    });
    let latest: unknown;
    for await (const partial of partialOutputStream) latest = partial;
    assert.deepEqual(Picture.parse(latest), latest);
  });
}

function testErrors(model: GetModel): void {
  test('reports why a request was refused', async () => {
    await assert.rejects(
      generateText({ model: model(), messages, ...refused }),
      (error: unknown) => {
        assert.ok(APICallError.isInstance(error));
        assert.deepEqual([error.message, error.statusCode], [refusal, 400]);
        return true;
      },
    );
  });

  test('reports why a stream was refused', async () => {
    const errors: unknown[] = [];
    const onError = ({ error }: { error: unknown }) => void errors.push(error);
    const { textStream } = streamText({ model: model(), messages, ...refused, onError });
    for await (const part of textStream) assert.fail(`received a part: ${part}`);
    assert.deepEqual(
      errors.map((error) => APICallError.isInstance(error) && error.message),
      [refusal],
    );
  });
}
