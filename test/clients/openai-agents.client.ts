import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  Agent,
  type AgentInputItem,
  getDefaultModel,
  getDefaultModelSettings,
  OpenAIChatCompletionsModel,
  OpenAIResponsesModel,
  run,
  setTracingDisabled,
  tool,
} from '@openai/agents';
import { OpenAI } from 'openai';
import { answer, image, Picture, question, useService } from './fixture.ts';

setTracingDisabled(true);

/** With its default model, the SDK sends `verbosity` and `reasoning`. */
const model = getDefaultModel();
const input: AgentInputItem[] = [
  {
    role: 'user',
    content: [
      { type: 'input_text', text: question },
      { type: 'input_image', image },
    ],
  },
];

let client: OpenAI;
useService({}, (url) => {
  client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'not needed', maxRetries: 0 });
});

for (const [api, Model] of [
  ['Responses', OpenAIResponsesModel],
  ['chat completions', OpenAIChatCompletionsModel],
] as const) {
  describe(`@openai/agents, ${api}`, () => {
    const createAgent = () => new Agent({ name: 'Viewer', model: new Model(client, model) });

    test('an agent answers about a picture', async () => {
      const { finalOutput } = await run(createAgent(), input);
      assert.equal(finalOutput, answer);
    });

    test('an agent with the SDK’s default settings gets an answer', async () => {
      const agent = createAgent().clone({ modelSettings: getDefaultModelSettings() });
      const { finalOutput } = await run(agent, input);
      assert.equal(finalOutput, answer);
    });

    test('an agent streams its answer', async () => {
      const result = await run(createAgent(), input, { stream: true });
      let streamed = '';
      for await (const text of result.toTextStream()) streamed += text;
      assert.equal(streamed, answer);
    });

    test('an agent runs a tool and answers with its result', async () => {
      const painted: string[] = [];
      const paint = tool({
        name: 'paint',
        description: 'Paints over the picture.',
        parameters: Picture,
        execute: ({ color }) => {
          painted.push(color);
          return 'painted';
        },
      });
      const agent = createAgent().clone({
        tools: [paint],
        modelSettings: { toolChoice: 'required' },
      });
      const { finalOutput } = await run(agent, input);
      assert.equal(painted.length, 1);
      assert.equal(typeof finalOutput, 'string');
    });

    test('an agent parses an object that matches a schema', async () => {
      const agent = new Agent({
        name: 'Viewer',
        model: new Model(client, model),
        outputType: Picture,
      });
      const { finalOutput } = await run(agent, input);
      assert.deepEqual(Picture.parse(finalOutput), finalOutput);
    });
  });
}
