import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import OpenAI from 'openai';
import { createRuntimeCommand } from '../../server/runtime/process.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { type RunningService, resources, startService } from '../support/service.ts';

let running: RunningService;
let client: OpenAI;
const image = toDataUrl(await drawShape({ shape: 'heart', color: 'green' }), 'image/png');
const answer = 'A green heart on a white background.';
const messages: OpenAI.ChatCompletionMessageParam[] = [
  {
    role: 'user',
    content: [
      { type: 'text', text: 'What is in this image?' },
      { type: 'image_url', image_url: { url: image, detail: 'low' } },
    ],
  },
];

before(async () => {
  running = await startService({ apiKey: 'sk-local' });
  client = new OpenAI({ baseURL: `${running.url}/v1`, apiKey: 'sk-local' });
});
after(() => running.stop());

test('the Node client reads an answer about a picture', async () => {
  const { data, response } = await client.chat.completions
    .create({ model: 'demo', messages })
    .withResponse();
  assert.equal(data.choices[0]?.message.content, answer);
  assert.equal(data.model, 'demo');
  assert.ok((data.usage?.completion_tokens ?? 0) > 0);
  assert.match(response.headers.get('x-request-id') ?? '', /^req-/);
});

test('the Node client assembles a streamed answer and its usage', async () => {
  const stream = client.chat.completions.stream({
    model: 'demo',
    messages,
    stream_options: { include_usage: true },
  });
  const completion = await stream.finalChatCompletion();
  assert.equal(completion.choices[0]?.message.content, answer);
  assert.equal(completion.choices[0]?.finish_reason, 'stop');
  assert.ok((completion.usage?.prompt_tokens ?? 0) > 0);
});

test('the Node client cancels a stream by leaving it', async () => {
  const stream = await client.chat.completions.create({
    model: 'demo',
    messages,
    stream: true,
    max_tokens: 100_000,
    logit_bias: { 1016: -100, 1018: -100 },
  });
  for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
  await running.service.activity.idle();
  assert.equal(running.service.activity.recent()[0]?.outcome, 'client_gone');
});

test('the Node client shows the message and the field of an error', async () => {
  const failing = client.chat.completions.create({ model: 'demo', messages, max_tokens: 0 });
  await assert.rejects(failing, (error: unknown) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.deepEqual([error.param, error.type], ['max_tokens', 'invalid_request_error']);
    assert.match(error.message, /`max_tokens` must be at least 1 \(got 0\)\./);
    return true;
  });
});

test('the Node client names a wrong key', async () => {
  const stranger = new OpenAI({ baseURL: `${running.url}/v1`, apiKey: 'sk-other' });
  await assert.rejects(stranger.models.list(), OpenAI.AuthenticationError);
});

test('the Node client lists and finds the model', async () => {
  const { data } = await client.models.list();
  assert.deepEqual(
    data.map(({ id }) => id),
    ['demo'],
  );
  assert.equal((await client.models.retrieve('demo')).id, 'demo');
  await assert.rejects(client.models.retrieve('somebody/else'), OpenAI.NotFoundError);
});

test('the Python client reads answers, streams, follow-ups and errors', async () => {
  const square = toDataUrl(await drawShape({ shape: 'square', color: 'blue' }), 'image/png');
  const script = fileURLToPath(new URL('openai_client.py', import.meta.url));
  const { python } = createRuntimeCommand(resources);
  const { stdout } = await execa(python, [script, `${running.url}/v1`, square]);
  const described = 'A blue square on a white background.';
  assert.deepEqual(JSON.parse(stdout), {
    whole: described,
    finish_reason: 'stop',
    streamed: described,
    follow_up: 'Blue.',
    error: {
      param: 'temperature',
      message: '`temperature` must be at most 2 (got 3).',
    },
  });
});
