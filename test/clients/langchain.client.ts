import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  AIMessage,
  type AIMessageChunk,
  HumanMessage,
  ToolMessage,
} from '@langchain/core/messages';
import { tool } from '@langchain/core/tools';
import { concat } from '@langchain/core/utils/stream';
import { ChatOpenAI } from '@langchain/openai';
import { z } from 'zod';
import { type RunningService, startService } from '../support/service.ts';
import { answer, image, question, tooHot } from './picture.ts';

const ask = new HumanMessage({
  content: [
    { type: 'text', text: question },
    { type: 'image_url', image_url: { url: image } },
  ],
});
const paint = tool(() => 'painted', {
  name: 'paint',
  description: 'Paints over the picture.',
  schema: z.object({ color: z.string() }),
});
const Usage = z.object({ input_tokens: z.int().min(1), output_tokens: z.int().min(1) });
const Picture = z.object({ color: z.enum(['red', 'green', 'blue']) });

let running: RunningService;
before(async () => {
  running = await startService();
});
after(() => running.stop());

for (const useResponsesApi of [false, true]) {
  describe(`ChatOpenAI, ${useResponsesApi ? 'Responses' : 'chat completions'}`, () => {
    const createModel = (temperature?: number) =>
      new ChatOpenAI({
        model: 'demo',
        apiKey: 'not needed',
        configuration: { baseURL: `${running.url}/v1` },
        maxRetries: 0,
        useResponsesApi,
        ...(temperature === undefined ? {} : { temperature }),
      });

    test('answers about a picture', async () => {
      const { text, usage_metadata } = await createModel().invoke([ask]);
      assert.equal(text, answer);
      Usage.parse(usage_metadata);
    });

    test('streams the answer with its usage', async () => {
      let whole: AIMessageChunk | undefined;
      for await (const chunk of await createModel().stream([ask])) {
        whole = whole === undefined ? chunk : concat(whole, chunk);
      }
      assert.equal(whole?.text, answer);
      Usage.parse(whole.usage_metadata);
    });

    test('asks a follow-up question', async () => {
      const model = createModel();
      const said = await model.invoke([ask]);
      assert.ok(AIMessage.isInstance(said));
      const { text } = await model.invoke([ask, said, new HumanMessage('What color is it?')]);
      assert.equal(text, 'Green.');
    });

    test('may offer a tool', async () => {
      const { text, tool_calls } = await createModel().bindTools([paint]).invoke([ask]);
      assert.deepEqual([text, tool_calls], [answer, []]); // the demo model calls no tools
    });

    test('sends back what a tool said', async () => {
      const call = { id: 'call_1', name: 'paint', args: { color: 'red' } };
      const { text } = await createModel()
        .bindTools([paint])
        .invoke([
          ask,
          new AIMessage({ content: '', tool_calls: [call] }),
          new ToolMessage({ content: 'painted', tool_call_id: 'call_1' }),
        ]);
      assert.notEqual(text, '');
    });

    test('gets an object that fits a schema', async () => {
      const model = createModel().withStructuredOutput(Picture, {
        name: 'picture',
        method: 'jsonSchema',
      });
      const picture = await model.invoke([ask]);
      assert.deepEqual(Picture.parse(picture), picture);
    });

    test('tells why a request is refused', async () => {
      await assert.rejects(createModel(3).invoke([ask]), (error: unknown) => {
        assert.ok(error instanceof Error);
        assert.ok(error.message.includes(tooHot), error.message);
        return true;
      });
    });
  });
}
