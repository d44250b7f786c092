import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { request } from 'undici';
import { post, question, userMessage } from '../support/chat.ts';
import { serve } from '../support/local-server.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { applySettings, type RunningService, startService, until } from '../support/service.ts';

let running: RunningService;
const redCircle = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
const settings = { apiKey: 'secret', maxBodyMegabytes: 1, maxImageMegabytes: 0.5 };
before(async () => {
  running = await startService(settings);
});
after(() => running.stop());

const key = { authorization: 'Bearer secret' };
const ask = (body: unknown, headers = {}) =>
  post(running.url, body, { headers: { ...key, ...headers } });

/** Checks an error against the design's table, OpenAI's form and the seed's `detail`. */
async function errorOf(response: Response) {
  const { error, detail, ...rest } = (await response.json()) as {
    error: { message: string; type: string; code: string | null; param: string | null };
    detail: string;
  };
  assert.deepEqual(rest, {});
  assert.equal(detail, error.message);
  assert.match(response.headers.get('x-request-id') ?? '', /^req-/);
  const { type, code, param } = error;
  return { status: response.status, type, code, param };
}

const requests: [string, string, RequestInit, Awaited<ReturnType<typeof errorOf>>][] = [
  [
    'a missing key',
    '/v1/models',
    {},
    { status: 401, type: 'authentication_error', code: 'invalid_api_key', param: null },
  ],
  [
    'an unknown path',
    '/v1/nothing',
    { headers: key },
    { status: 404, type: 'invalid_request_error', code: 'unknown_url', param: null },
  ],
  [
    'a method that a path has not',
    '/v1/chat/completions',
    { headers: key },
    { status: 405, type: 'invalid_request_error', code: 'method_not_allowed', param: null },
  ],
  [
    'an unknown model',
    '/v1/models/somebody/else',
    { headers: key },
    { status: 404, type: 'invalid_request_error', code: 'model_not_found', param: 'model' },
  ],
  [
    'a body that is not JSON',
    '/v1/chat/completions',
    {
      method: 'POST',
      headers: { ...key, 'content-type': 'application/json' },
      body: '{"messages":',
    },
    { status: 400, type: 'invalid_request_error', code: null, param: null },
  ],
  [
    'a body of another type, which a web page could send from anywhere',
    '/v1/chat/completions',
    { method: 'POST', headers: { ...key, 'content-type': 'text/plain' }, body: '{}' },
    { status: 415, type: 'invalid_request_error', code: 'unsupported_media_type', param: null },
  ],
  [
    'a body over the limit',
    '/v1/chat/completions',
    {
      method: 'POST',
      headers: { ...key, 'content-type': 'application/json' },
      body: `{"x":"${'x'.repeat(1_100_000)}"}`,
    },
    { status: 413, type: 'invalid_request_error', code: 'body_too_large', param: null },
  ],
  [
    'a small body that unpacks to one over the limit',
    '/v1/chat/completions',
    {
      method: 'POST',
      headers: { ...key, 'content-type': 'application/json', 'content-encoding': 'gzip' },
      body: gzipSync(`{"x":"${'x'.repeat(50_000_000)}"}`),
    },
    { status: 413, type: 'invalid_request_error', code: 'body_too_large', param: null },
  ],
];
for (const [what, path, init, expected] of requests) {
  test(`${what} gets ${expected.status}`, async () => {
    assert.deepEqual(await errorOf(await fetch(running.url + path, init)), expected);
  });
}

const images: [string, string, string, number, RegExp][] = [
  ['a local file', 'file:///etc/passwd', 'image_scheme_not_allowed', 400, /http/],
  ['a path', '/etc/passwd', 'image_invalid_url', 400, /http/],
  ['a loopback address', 'http://127.0.0.1:9/x.png', 'image_address_not_allowed', 400, /./],
  ['the metadata service', 'http://169.254.169.254/latest', 'image_address_not_allowed', 400, /./],
  [
    'a file that is not an image',
    toDataUrl(Buffer.from('hello'), 'image/png'),
    'image_unsupported_format',
    400,
    /PNG/,
  ],
  [
    'too large a picture',
    toDataUrl(Buffer.alloc(600_000), 'image/png'),
    'image_too_large',
    413,
    /at most 500 kB/,
  ],
];
for (const [what, url, code, status, message] of images) {
  test(`${what} is refused as ${code}, naming the part, in whole and streamed answers`, async () => {
    for (const stream of [false, true]) {
      const text = { type: 'text', text: 'What is in this image?' };
      const content = [text, { type: 'image_url', image_url: { url } }];
      const answer = await ask({ messages: [{ role: 'user', content }], stream });
      const { error } = answer.body;
      assert.deepEqual(
        [answer.status, error.code, error.param],
        [status, code, 'messages.0.content.1'],
      );
      assert.match(error.message, message);
    }
  });
}

test('a header reports that an image was scaled down', async () => {
  const large = await drawShape({ shape: 'circle', color: 'red', width: 3000, height: 2000 });
  const { status, headers } = await ask(question(toDataUrl(large, 'image/png')));
  assert.equal(status, 200);
  assert.match(
    headers.get('x-sightglass-images') ?? '',
    /^messages\.0\.content\.0;original="3000x2000";sent="\d+x\d+"$/,
  );
});

test('a valid x-request-id of the client is kept, an invalid one is not', async () => {
  const sent = async (id: string) =>
    (await ask(question(redCircle), { 'x-request-id': id })).headers.get('x-request-id');
  assert.equal(await sent('my-app:42'), 'my-app:42');
  assert.match((await sent('a b')) ?? '', /^req-/);
  assert.match((await sent('x'.repeat(200))) ?? '', /^req-/);
});

test('two concurrent requests with the same id get different ids', async () => {
  const { queue } = running.service;
  queue.pause();
  const asked = [1, 2].map(() => ask(question(redCircle), { 'x-request-id': 'twin' }));
  await until(running, () => queue.stats.activeRequests === 2);
  queue.resume();
  const answers = await Promise.all(asked);
  const ids = answers.map(({ status, headers }) => [
    status,
    headers.get('x-request-id') === 'twin',
  ]);
  assert.deepEqual(ids.sort(), [
    [200, false],
    [200, true],
  ]);
});

test('the API key is accepted in the headers of OpenAI’s, Anthropic’s and Azure’s clients', async () => {
  const [right, wrong] = ['secret', 'placeholder'];
  const cases: [status: number, headers: Record<string, string>][] = [
    [200, { 'x-api-key': right }],
    [200, { 'api-key': right }],
    [200, { authorization: `Bearer ${wrong}`, 'x-api-key': right }],
    [200, { authorization: `Bearer ${right}`, 'x-api-key': wrong }],
    [200, { authorization: `Bearer ${wrong}`, 'api-key': right }],
    [401, { authorization: `Bearer ${wrong}`, 'x-api-key': wrong, 'api-key': wrong }],
  ];
  for (const [status, headers] of cases) {
    const response = await fetch(`${running.url}/v1/models`, { headers });
    assert.equal(response.status, status, JSON.stringify(headers));
  }
});

test('/health requires no key, and reports ok when the model is ready', async () => {
  const response = await fetch(`${running.url}/health`);
  const { status, state } = (await response.json()) as { status: string; state: string };
  assert.deepEqual([response.status, status, state], [200, 'ok', 'ready']);
});

test('every path is also served without /v1', async () => {
  for (const path of ['/models', '/queue/stats', '/health']) {
    assert.equal((await fetch(running.url + path, { headers: key })).status, 200, path);
  }
});

test('a stop sequence ends the answer before it, and the usage is complete', async () => {
  const { body } = await ask(question(redCircle, { stop: [' on a'] }));
  assert.equal(body.choices[0].message.content, 'A red circle');
  assert.equal(body.choices[0].finish_reason, 'stop');
  assert.ok(body.usage.prompt_tokens > 20 && body.usage.completion_tokens >= 3);
});

test('max_completion_tokens ends the answer with finish_reason length', async () => {
  const { body } = await ask(question(redCircle, { max_completion_tokens: 2 }));
  assert.deepEqual([body.choices[0].finish_reason, body.usage.completion_tokens], ['length', 2]);
});

test('the model’s image token in a text gets 400 with its path', async () => {
  const { status, body } = await ask({ messages: [userMessage('<|image_pad|>', redCircle)] });
  assert.deepEqual(
    [status, body.error.code, body.error.param],
    [400, 'media_token_in_text', 'messages.0.content.1.text'],
  );
});

test('a conversation beyond the model’s context gets 400 in OpenAI’s words, streamed or not', async () => {
  const long = userMessage('word '.repeat(6000), redCircle);
  for (const stream of [false, true]) {
    const { status, body } = await ask({ messages: [long], stream });
    assert.deepEqual([status, body.error.code], [400, 'context_length_exceeded']);
    assert.match(body.error.message, /maximum context length is 4096 tokens/);
  }
});

test('an image that Pillow cannot read gets 400 without any of its content', async () => {
  const broken = await sharp(Buffer.from(redCircle.split(',')[1] ?? '', 'base64'))
    .jpeg()
    .withExif({ IFD0: { Software: 'x' } })
    .toBuffer();
  const exif = broken.indexOf('Exif');
  broken.fill(0xff, exif + 6, exif + 14); // no TIFF header any more
  const { status, body } = await ask(question(toDataUrl(broken, 'image/jpeg')));
  if (status !== 200) assert.deepEqual([status, body.error.code], [400, 'image_unreadable']);
  assert.doesNotMatch(JSON.stringify(body), /base64|0x[0-9a-f]{6}/);
});

test('a small body that names a large image many times gets 413; a foreign Host gets 403', async (t) => {
  const noise = Buffer.from(Array.from({ length: 480 * 320 * 3 }, (_, at) => (at * 7919) % 251));
  const raw = { width: 480, height: 320, channels: 3 } as const;
  const png = await sharp(noise, { raw }).png({ compressionLevel: 0 }).toBuffer();
  const { url } = await serve(t, (_request, response) => response.end(png));
  const images = Array.from({ length: 5 }, () => url);
  await applySettings(running, { ...settings, apiKey: undefined, allowPrivateImageUrls: true });
  const { status, body } = await ask({ messages: [userMessage('What?', ...images)] });
  // fetch does not let its caller set another Host.
  const rebound = await request(`${running.url}/v1/models`, { headers: { host: 'evil.example' } });
  await applySettings(running, settings);
  assert.deepEqual([status, body.error.code], [413, 'image_too_large']);
  const { error } = (await rebound.body.json()) as { error: { code: string } };
  assert.deepEqual([rebound.statusCode, error.code], [403, 'host_not_allowed']);
});

for (const [what, body] of [
  [
    'a body nested thousands deep',
    `{"messages":[{"role":"user","content":"x"}],"metadata":${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}}`,
  ],
  ['half a character', { messages: [userMessage('\ud800', redCircle)] }],
  ['a model name without end', question(redCircle, { model: 'x'.repeat(300) })],
] as const) {
  test(`${what} gets 400`, async () => {
    const answer = await ask(body);
    assert.deepEqual([answer.status, answer.body.error.type], [400, 'invalid_request_error']);
  });
}

test('a client that disconnects in the middle of its request does no harm', async () => {
  const { port } = new URL(running.url);
  const socket = connect(Number(port), '127.0.0.1');
  await once(socket, 'connect');
  socket.write(
    'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer secret\r\n' +
      'content-type: application/json\r\ncontent-length: 1000\r\n\r\n{"messages"',
  );
  socket.destroy();
  assert.equal((await ask(question(redCircle))).status, 200);
});
