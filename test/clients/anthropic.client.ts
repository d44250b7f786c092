import assert from 'node:assert/strict';
import { test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { zodOutputFormat } from '@anthropic-ai/sdk/helpers/zod';
import { answer, Picture, png, question, useService } from './fixture.ts';

const messages: Anthropic.MessageParam[] = [
  {
    role: 'user',
    content: [
      {
        type: 'image',
        source: { type: 'base64', media_type: 'image/png', data: png.toString('base64') },
      },
      { type: 'text', text: question },
    ],
  },
];
const request = { model: 'demo', max_tokens: 60, messages };
const paint: Anthropic.Tool = {
  name: 'paint',
  description: 'Paints over the picture.',
  input_schema: { type: 'object', properties: { color: { type: 'string' } } },
};

let client: Anthropic;
const service = useService({ apiKey: 'sk-local' }, (url) => {
  client = new Anthropic({ baseURL: url, apiKey: 'sk-local', maxRetries: 0 });
});

test('the Anthropic client answers about a picture', async () => {
  const { content, stop_reason, model, usage } = await client.messages.create(request);
  assert.deepEqual(
    content.map((block) => block.type === 'text' && block.text),
    [answer],
  );
  assert.deepEqual([stop_reason, model], ['end_turn', 'demo']);
  assert.ok(usage.input_tokens > 0 && usage.output_tokens > 0);
});

test('the Anthropic client streams the answer', async () => {
  const stream = client.messages.stream(request);
  let streamed = '';
  stream.on('text', (delta) => {
    streamed += delta;
  });
  const { stop_reason, usage } = await stream.finalMessage();
  assert.deepEqual([streamed, await stream.finalText()], [answer, answer]);
  assert.equal(stop_reason, 'end_turn');
  assert.ok(usage.output_tokens > 0);
});

test('the Anthropic client asks a follow-up question', async () => {
  const { role, content } = await client.messages.create(request);
  const next: Anthropic.MessageParam = { role: 'user', content: 'What color is it?' };
  const reply = await client.messages.create({
    ...request,
    messages: [...messages, { role, content }, next],
  });
  assert.deepEqual(
    reply.content.map((block) => block.type === 'text' && block.text),
    ['Green.'],
  );
});

test('the Anthropic client accepts a tool that the model does not call', async () => {
  const { stop_reason } = await client.messages.create({ ...request, tools: [paint] });
  assert.equal(stop_reason, 'end_turn'); // the demo model calls no tools
});

test('the Anthropic client sends a tool result', async () => {
  const input = { color: 'red' };
  const { stop_reason } = await client.messages.create({
    ...request,
    tools: [paint],
    messages: [
      ...messages,
      { role: 'assistant', content: [{ type: 'tool_use', id: 'call_1', name: 'paint', input }] },
      {
        role: 'user',
        content: [{ type: 'tool_result', tool_use_id: 'call_1', content: 'painted' }],
      },
    ],
  });
  assert.equal(stop_reason, 'end_turn');
});

test('the Anthropic client parses an object that matches a schema', async () => {
  const { parsed_output } = await client.messages.parse({
    ...request,
    output_config: { format: zodOutputFormat(Picture) },
  });
  assert.deepEqual(Picture.parse(parsed_output), parsed_output);
});

test('the Anthropic client reports why a request was refused', async () => {
  await assert.rejects(client.messages.create({ ...request, max_tokens: 0 }), (error: unknown) => {
    assert.ok(error instanceof Anthropic.BadRequestError);
    assert.equal(error.type, 'invalid_request_error');
    assert.match(error.message, /`max_tokens` must be at least 1 \(got 0\)\./);
    return true;
  });
});

test('the Anthropic client reports a wrong key', async () => {
  const stranger = new Anthropic({ baseURL: service.url, apiKey: 'sk-other', maxRetries: 0 });
  await assert.rejects(stranger.messages.create(request), Anthropic.AuthenticationError);
});
