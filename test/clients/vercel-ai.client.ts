import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
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
import { type RunningService, startService } from '../support/service.ts';
import { answer, png, question } from './picture.ts';

/** Not `temperature`: @ai-sdk/anthropic lowers it to 1 by itself. */
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
const Picture = z.object({ color: z.enum(['red', 'green', 'blue']) });
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

let running: RunningService;
before(async () => {
  running = await startService();
});
after(() => running.stop());

for (const [name, createModel] of providers) {
  describe(name, () => {
    let model: LanguageModel;
    before(() => {
      model = createModel(`${running.url}/v1`);
    });

    test('answers about a picture', async () => {
      const { text, finishReason, usage, warnings } = await generateText({
        model,
        messages,
        maxOutputTokens: 60,
      });
      assert.deepEqual([text, finishReason, warnings], [answer, 'stop', []]);
      assert.ok((usage.inputTokens ?? 0) > 0 && (usage.outputTokens ?? 0) > 0);
    });

    test('streams the answer with its usage', async () => {
      const result = streamText({ model, messages });
      const parts: string[] = [];
      for await (const part of result.textStream) parts.push(part);
      assert.equal(parts.join(''), answer);
      assert.ok(parts.length > 1);
      assert.equal(await result.finishReason, 'stop');
      assert.ok(((await result.usage).outputTokens ?? 0) > 0);
    });

    test('asks a follow-up question', async () => {
      const { responseMessages } = await generateText({ model, messages });
      const next: ModelMessage = { role: 'user', content: 'What color is it?' };
      const { text } = await generateText({
        model,
        messages: [...messages, ...responseMessages, next],
      });
      assert.equal(text, 'Green.');
    });

    test('may offer a tool', async () => {
      const { text } = await generateText({ model, messages, tools: { paint } });
      assert.equal(text, answer); // the demo model calls no tools
    });

    test('sends back what a tool said', async () => {
      const call = { toolCallId: 'call_1', toolName: 'paint' };
      const turns: ModelMessage[] = [
        ...messages,
        { role: 'assistant', content: [{ type: 'tool-call', ...call, input: { color: 'red' } }] },
        {
          role: 'tool',
          content: [{ type: 'tool-result', ...call, output: { type: 'text', value: 'painted' } }],
        },
      ];
      const { text } = await generateText({ model, messages: turns, tools: { paint } });
      assert.notEqual(text, '');
    });

    test('gets an object that fits a schema', async () => {
      const { output } = await generateText({
        model,
        messages,
        output: Output.object({ schema: Picture }),
        maxOutputTokens: 60,
      });
      assert.deepEqual(Picture.parse(output), output);
    });

    test('streams an object that fits a schema', async () => {
      const { partialOutputStream } = streamText({
        model,
        messages,
        output: Output.object({ schema: Picture }),
        maxOutputTokens: 60,
      });
      let latest: unknown;
      for await (const partial of partialOutputStream) latest = partial;
      assert.deepEqual(Picture.parse(latest), latest);
    });

    test('tells why a request is refused', async () => {
      await assert.rejects(generateText({ model, messages, ...refused }), (error: unknown) => {
        assert.ok(APICallError.isInstance(error));
        assert.deepEqual([error.message, error.statusCode], [refusal, 400]);
        return true;
      });
    });

    test('tells why a stream is refused', async () => {
      const errors: unknown[] = [];
      const onError = ({ error }: { error: unknown }) => void errors.push(error);
      const { textStream } = streamText({ model, messages, ...refused, onError });
      for await (const part of textStream) assert.fail(`a part came: ${part}`);
      assert.deepEqual(
        errors.map((error) => APICallError.isInstance(error) && error.message),
        [refusal],
      );
    });
  });
}
