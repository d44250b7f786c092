import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
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
import { answer, image, Picture, question, tooHot, useService } from './fixture.ts';

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

const service = useService();

type CreateModel = (temperature?: number) => ChatOpenAI;

for (const useResponsesApi of [false, true]) {
  describe(`ChatOpenAI, ${useResponsesApi ? 'Responses' : 'chat completions'}`, () => {
    const createModel: CreateModel = (temperature) =>
      new ChatOpenAI({
        model: 'demo',
        apiKey: 'not needed',
        configuration: { baseURL: `${service.url}/v1` },
        maxRetries: 0,
        useResponsesApi,
        ...(temperature === undefined ? {} : { temperature }),
      });
    testAnswers(createModel);
    testTools(createModel);
  });
}

function testAnswers(createModel: CreateModel): void {
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
    const reply = await model.invoke([ask]);
    assert.ok(AIMessage.isInstance(reply));
    const { text } = await model.invoke([ask, reply, new HumanMessage('What color is it?')]);
    assert.equal(text, 'Green.');
  });

  test('parses an object that matches a schema', async () => {
    const model = createModel().withStructuredOutput(Picture, {
      name: 'picture',
      method: 'jsonSchema',
    });
    const picture = await model.invoke([ask]);
    assert.deepEqual(Picture.parse(picture), picture);
  });

  test('reports why a request was refused', async () => {
    await assert.rejects(createModel(3).invoke([ask]), (error: unknown) => {
      assert.ok(error instanceof Error);
      assert.ok(error.message.includes(tooHot), error.message);
      return true;
    });
  });
}

function testTools(createModel: CreateModel): void {
  test('accepts a tool that the model does not call', async () => {
    const { text, tool_calls } = await createModel().bindTools([paint]).invoke([ask]);
    assert.deepEqual([text, tool_calls], [answer, []]); // the demo model calls no tools
  });

  test('sends a tool result', async () => {
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
}
