import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { execa } from 'execa';
import { post, stream, textOf } from '../support/chat.ts';
import { serve } from '../support/local-server.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { type RunningService, startService } from '../support/service.ts';

// The seed's examples, except for the picture, which the seed loads from the internet.
let running: RunningService;
let redCircle: Buffer;
before(async () => {
  redCircle = await drawShape({ shape: 'circle', color: 'red' });
  running = await startService({ allowPrivateImageUrls: true });
});
after(() => running.stop());

const answer = 'A red circle on a white background.';
const model = 'mlx-community/Qwen2-VL-2B-Instruct-4bit';

async function curl(body: object): Promise<string> {
  const { stdout } = await execa('curl', [
    '--silent',
    `${running.url}/v1/chat/completions`,
    '-H',
    'Content-Type: application/json',
    '-d',
    JSON.stringify(body),
  ]);
  return stdout;
}

function visionRequest(url: string) {
  const content = [
    { type: 'text', text: 'What is in this image?' },
    { type: 'image_url', image_url: { url } },
  ];
  return { model, messages: [{ role: 'user', content }] };
}

test('the vision request example is answered in the seed’s response format', async () => {
  const { id, created, usage, system_fingerprint, ...rest } = JSON.parse(
    await curl(visionRequest(toDataUrl(redCircle, 'image/png'))),
  );
  assert.match(id, /^chatcmpl-/);
  assert.ok(Math.abs(created - Date.now() / 1000) < 60);
  assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
  assert.match(system_fingerprint, /^mlx_vlm-/);
  assert.deepEqual(rest, {
    object: 'chat.completion',
    model,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: answer, refusal: null, annotations: [] },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    service_tier: 'default',
  });
});

test('an image is fetched from a web server', async (t) => {
  const paths: string[] = [];
  const { url } = await serve(t, (request, response) => {
    paths.push(request.url ?? '');
    response.setHeader('content-type', 'image/png').end(redCircle);
  });
  const body = JSON.parse(await curl(visionRequest(`${url}/boardwalk.png`)));
  assert.equal(body.choices[0].message.content, answer);
  assert.deepEqual(paths, ['/boardwalk.png']);
});

test('the streaming example is answered with Server-Sent Events, chunks and [DONE]', async () => {
  const { messages } = visionRequest(toDataUrl(redCircle, 'image/png'));
  const events: string[] = [];
  for await (const event of stream(running.url, { messages })) events.push(event);
  assert.equal(events.pop(), '[DONE]');
  const chunks = events.map((event) => JSON.parse(event));
  assert.deepEqual([...new Set(chunks.map((chunk) => chunk.object))], ['chat.completion.chunk']);
  assert.equal(new Set(chunks.map(({ id, created }) => `${id} ${created}`)).size, 1);
  assert.deepEqual(chunks[0].choices[0].delta, { role: 'assistant', content: '', refusal: null });
  assert.equal(chunks.map((chunk) => chunk.choices[0].delta.content ?? '').join(''), answer);
  assert.deepEqual(chunks.at(-1).choices[0], {
    index: 0,
    delta: {},
    logprobs: null,
    finish_reason: 'stop',
  });
});

test('the multi-turn example is answered about the image of an earlier turn', async () => {
  const [user] = visionRequest(toDataUrl(redCircle, 'image/png')).messages;
  const response = await post(running.url, {
    model,
    messages: [
      { role: 'system', content: 'You are a helpful assistant that describes images.' },
      user,
      { role: 'assistant', content: 'The image shows a shape...' },
      { role: 'user', content: 'What color is the shape?' },
    ],
  });
  assert.equal(textOf(response), 'Red.');
});

test('a request without an image gets 400', async () => {
  const { status, body } = await post(running.url, {
    messages: [{ role: 'user', content: 'Hello' }],
  });
  assert.deepEqual(
    [status, body.error.type, body.error.code, body.error.param],
    [400, 'invalid_request_error', 'text_only_unsupported', 'messages'],
  );
});

test('the queue statistics have exactly the seed’s shape', async () => {
  const response = await fetch(`${running.url}/v1/queue/stats`);
  assert.deepEqual(await response.json(), {
    status: 'ok',
    queue_stats: {
      vision_queue: {
        running: true,
        queue_size: 0,
        max_queue_size: 100,
        active_requests: 0,
        max_concurrency: 1,
      },
    },
  });
});
