import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { zodTextFormat } from 'openai/helpers/zod';
import { answer, image, Picture, question, tooHot, useService } from './fixture.ts';

const input: OpenAI.Responses.ResponseInput = [
  {
    role: 'user',
    content: [
      { type: 'input_text', text: question },
      { type: 'input_image', image_url: image, detail: 'auto' },
    ],
  },
];
const paint: OpenAI.Responses.FunctionTool = {
  type: 'function',
  name: 'paint',
  description: 'Paints over the picture.',
  parameters: { type: 'object', properties: { color: { type: 'string' } } },
  strict: false,
};
const text = { format: zodTextFormat(Picture, 'picture') };

let client: OpenAI;
useService({}, (url) => {
  client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'not needed', maxRetries: 0 });
});

test('the Node client for Responses answers about a picture', async () => {
  const response = await client.responses.create({ model: 'demo', input });
  assert.deepEqual(
    [response.output_text, response.status, response.model],
    [answer, 'completed', 'demo'],
  );
  assert.ok((response.usage?.output_tokens ?? 0) > 0);
});

test('the Node client for Responses streams the answer', async () => {
  const stream = client.responses.stream({ model: 'demo', input });
  let streamed = '';
  stream.on('response.output_text.delta', ({ delta }) => {
    streamed += delta;
  });
  const { output_text, status, usage } = await stream.finalResponse();
  assert.deepEqual([streamed, output_text, status], [answer, answer, 'completed']);
  assert.ok((usage?.output_tokens ?? 0) > 0);
});

test('the Node client for Responses receives the events in order', async () => {
  const events: OpenAI.Responses.ResponseStreamEvent[] = [];
  const stream = await client.responses.create({ model: 'demo', input, stream: true });
  for await (const event of stream) events.push(event);
  assert.deepEqual(
    events.map(({ sequence_number }) => sequence_number),
    events.map((_, index) => index),
  );
  assert.deepEqual(
    events.map(({ type }) => type).filter((type) => type !== 'response.output_text.delta'),
    [
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ],
  );
});

test('the Node client for Responses asks a follow-up question with the previous output', async () => {
  const { output } = await client.responses.create({ model: 'demo', input });
  const next = { role: 'user', content: 'What color is it?' } as const;
  const { output_text } = await client.responses.create({
    model: 'demo',
    input: [...input, ...output.filter((item) => item.type === 'message'), next],
  });
  assert.equal(output_text, 'Green.');
});

test('the Node client for Responses asks a follow-up question about a stored response', async () => {
  const { id } = await client.responses.create({ model: 'demo', input });
  const { output_text } = await client.responses.create({
    model: 'demo',
    previous_response_id: id,
    input: 'What color is it?',
  });
  assert.equal(output_text, 'Green.');
});

test('the Node client for Responses accepts a tool that the model does not call', async () => {
  const response = await client.responses.create({ model: 'demo', input, tools: [paint] });
  assert.equal(response.output_text, answer); // the demo model calls no tools
});

test('the Node client for Responses sends a tool result', async () => {
  const call_id = 'call_1';
  const turns: OpenAI.Responses.ResponseInput = [
    ...input,
    { type: 'function_call', call_id, name: 'paint', arguments: '{"color":"red"}' },
    { type: 'function_call_output', call_id, output: 'painted' },
  ];
  const { status } = await client.responses.create({ model: 'demo', input: turns, tools: [paint] });
  assert.equal(status, 'completed');
});

test('the Node client for Responses parses an object that matches a schema', async () => {
  const { output_parsed } = await client.responses.parse({
    model: 'demo',
    input,
    text,
    max_output_tokens: 60,
  });
  assert.deepEqual(Picture.parse(output_parsed), output_parsed);
});

test('the Node client for Responses streams an object that matches a schema', async () => {
  const stream = client.responses.stream({ model: 'demo', input, text, max_output_tokens: 60 });
  const { output_parsed } = await stream.finalResponse();
  assert.deepEqual(Picture.parse(output_parsed), output_parsed);
});

test('the Node client for Responses reports why a request was refused, and which parameter', async () => {
  const refused = client.responses.create({ model: 'demo', input, temperature: 3 });
  await assert.rejects(refused, (error: unknown) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.deepEqual([error.message, error.param], [`400 ${tooHot}`, 'temperature']);
    return true;
  });
});
