import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { Agent, request } from 'undici';
import type { Settings } from '../../server/settings.ts';
import { endless, question } from '../support/chat.ts';
import { serve } from '../support/local-server.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { applySettings, type RunningService, startService } from '../support/service.ts';

let running: RunningService;
const png = await drawShape({ shape: 'circle', color: 'red' });
const image = toDataUrl(png, 'image/png');
const page = 'https://app.example';
const settings: Partial<Settings> = {
  apiKey: 'secret',
  corsOrigins: [page],
  keepAliveSeconds: 0.05,
  allowPrivateImageUrls: true,
};
before(async () => {
  running = await startService(settings);
});
after(() => running.stop());

const dispatcher = new Agent();
after(() => dispatcher.close());
const key = { authorization: 'Bearer secret' };
const call = (path: string, init: RequestInit = {}) =>
  fetch(running.url + path, { ...init, headers: { ...key, ...init.headers } });
const ask = (body: object, headers = {}) =>
  call('/v1/chat/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
const corsOf = ({ headers }: Response) =>
  Object.fromEntries([...headers].filter(([name]) => name.startsWith('access-control-')));

test('a connection is kept for the next request', async () => {
  const agent = new Agent({ connections: 1 });
  let connections = 0;
  agent.on('connect', () => {
    connections += 1;
  });
  for (let count = 0; count < 3; count += 1) {
    const { body } = await request(`${running.url}/v1/models`, { headers: key, dispatcher: agent });
    await body.dump();
  }
  await agent.close();
  assert.equal(connections, 1);
});

test('HEAD is answered as GET, without the body', async () => {
  const [head, get] = [await call('/v1/models', { method: 'HEAD' }), await call('/v1/models')];
  assert.equal(head.status, 200);
  assert.equal(head.headers.get('content-length'), get.headers.get('content-length'));
  assert.equal(await head.text(), '');
});

test('OPTIONS lists the methods of a path, without a key', async () => {
  const options = (path: string) => fetch(running.url + path, { method: 'OPTIONS' });
  const chat = await options('/v1/chat/completions');
  assert.deepEqual([chat.status, chat.headers.get('allow')], [204, 'POST']);
  assert.equal((await options('/v1/models')).headers.get('allow'), 'HEAD, GET');
});

test('a page of a listed origin may send requests, after its preflight', async () => {
  const preflight = await fetch(`${running.url}/v1/chat/completions`, {
    method: 'OPTIONS',
    headers: {
      origin: page,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type',
    },
  });
  assert.equal(preflight.status, 204);
  assert.deepEqual(corsOf(preflight), {
    'access-control-allow-origin': page,
    'access-control-allow-methods': 'GET,HEAD,POST,DELETE',
    'access-control-allow-headers': 'authorization,content-type',
    'access-control-max-age': '86400',
  });
  const answered = await ask(question(image), { origin: page });
  assert.equal(answered.headers.get('access-control-allow-origin'), page);
  const exposed = answered.headers.get('access-control-expose-headers') ?? '';
  assert.match(exposed, /x-request-id.*x-sightglass-ignored/);
});

test('a page of a listed origin can read errors', async () => {
  const refused = await ask({ messages: 5 }, { origin: page });
  assert.deepEqual(
    [refused.status, refused.headers.get('access-control-allow-origin')],
    [400, page],
  );
});

test('a page of another origin gets no CORS headers, and cookies are never allowed', async () => {
  for (const origin of ['https://evil.example', 'null', `${page}.evil.example`]) {
    assert.deepEqual(corsOf(await ask(question(image), { origin })), {});
    const preflight = await fetch(`${running.url}/v1/chat/completions`, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST' },
    });
    assert.deepEqual(corsOf(preflight), {});
  }
});

test('by default no origin is allowed', async () => {
  await applySettings(running, { apiKey: 'secret' });
  const response = await call('/v1/models', { headers: { origin: page } });
  assert.deepEqual(corsOf(response), {});
  await applySettings(running, settings);
});

test('a valid x-request-id of the client is kept, an invalid one replaced', async () => {
  const idOf = async (id: string) =>
    (await call('/v1/models', { headers: { 'x-request-id': id } })).headers.get('x-request-id');
  assert.equal(await idOf('trace-1:2.3_4'), 'trace-1:2.3_4');
  for (const bad of ['a b', 'x'.repeat(129), '<script>'])
    assert.match((await idOf(bad)) ?? '', /^req-/);
});

test('a stream is not compressed, and its first event arrives during generation', async () => {
  const abort = new AbortController();
  const response = await fetch(`${running.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { ...key, 'content-type': 'application/json', 'accept-encoding': 'gzip, br' },
    body: JSON.stringify({ ...endless(image), stream: true }),
    signal: abort.signal,
  });
  assert.equal(response.headers.get('content-encoding'), null);
  assert.ok(response.body !== null);
  let received = '';
  for await (const bytes of response.body) {
    received += Buffer.from(bytes).toString();
    if (received.includes('"content":"A"')) break;
  }
  assert.equal(running.service.activity.streams, 1);
  abort.abort();
});

/** A web server that sends its picture, or a 404, on the test's command. */
async function slowPicture(t: { after: (clean: () => void) => void }) {
  const asked = Promise.withResolvers<ServerResponse>();
  const { url } = await serve(t, (_request, response) => asked.resolve(response));
  const give = async () => (await asked.promise).setHeader('content-type', 'image/png').end(png);
  const refuse = async () => (await asked.promise).writeHead(404).end();
  return { url, give, refuse };
}

test('comments keep a stream alive while there are no events', async (t) => {
  const picture = await slowPicture(t);
  const response = await ask({ ...question(picture.url), stream: true });
  assert.ok(response.body !== null);
  let received = '';
  let isGiven = false;
  for await (const bytes of response.body) {
    received += Buffer.from(bytes).toString();
    if (isGiven || !received.startsWith(': keep-alive\n\n'.repeat(2))) continue;
    isGiven = true;
    await picture.give();
  }
  assert.equal(received.slice(-2), '\n\n');
  const blocks = received.slice(0, -2).split('\n\n');
  const data = blocks.filter((block) => block !== ': keep-alive');
  assert.deepEqual(
    blocks.filter((block) => !block.startsWith('data: ')),
    Array.from({ length: blocks.length - data.length }, () => ': keep-alive'),
  );
  assert.equal(data.pop(), 'data: [DONE]');
  const said = data.map((block) => JSON.parse(block.slice(6)).choices[0].delta.content ?? '');
  assert.equal(said.join(''), 'A red circle on a white background.');
});

test('clients ignore the comments and still receive an error after them', async (t) => {
  const client = new OpenAI({ baseURL: `${running.url}/v1`, apiKey: 'secret', maxRetries: 0 });
  const streamed = async (url: string, give: () => Promise<unknown>) => {
    const messages = question(url).messages as OpenAI.ChatCompletionMessageParam[];
    const asked = client.chat.completions.create({ model: 'demo', messages, stream: true });
    const stream = await asked; // the head is here, so a comment was sent
    await give();
    let said = '';
    for await (const chunk of stream) said += chunk.choices[0]?.delta.content ?? '';
    return said;
  };
  const good = await slowPicture(t);
  assert.equal(await streamed(good.url, good.give), 'A red circle on a white background.');
  const broken = await slowPicture(t);
  await assert.rejects(streamed(broken.url, broken.refuse), /404/);
});

test('input that is not HTTP gets an error in OpenAI’s form', async () => {
  const { port } = new URL(running.url);
  for (const [sent, status] of [
    ['rubbish\r\n\r\n', 400],
    [`GET / HTTP/1.1\r\nhost: localhost\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`, 431],
  ] as const) {
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(sent);
    const answer = await text(socket);
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    assert.match(head, new RegExp(`^HTTP/1.1 ${status} `));
    assert.equal(JSON.parse(body).error.type, 'invalid_request_error');
  }
});

for (const path of [
  '/v1//chat/completions',
  '//v1/chat/completions',
  '//chat//completions',
  '/v1/v1/chat/completions',
  '/v1/chat/completions/',
]) {
  test(`POST ${path} is answered as /v1/chat/completions`, async () => {
    const response = await call(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json, application/json' },
      body: JSON.stringify(question(image)),
    });
    assert.equal(response.status, 200);
  });
}

const answers: Record<string, string> = { authorization: 'Bearer placeholder' };
for (const [what, headers, status] of [
  ['a right x-api-key beside a wrong Bearer', { ...answers, 'x-api-key': 'secret' }, 200],
  ['Azure’s api-key', { 'api-key': 'secret' }, 200],
  ['three wrong keys', { ...answers, 'x-api-key': 'x', 'api-key': 'y' }, 401],
] as const) {
  test(`${what} gives ${status}`, async () => {
    const response = await fetch(`${running.url}/v1/models`, { headers });
    assert.equal(response.status, status);
  });
}

for (const [path, status] of [
  ['/health', 200],
  ['/healthz', 200],
  ['/readyz', 200],
  ['/livez', 200],
  ['/v1/readyz', 200],
] as const) {
  test(`GET ${path} needs no key`, async () => {
    assert.equal((await fetch(running.url + path)).status, status);
  });
}

for (const path of ['/v1/responses', '/v1/chat/completions']) {
  test(`a WebSocket to ${path} is answered with 426, so that the client uses HTTP`, async () => {
    const { port } = new URL(running.url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(
      `GET ${path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer secret\r\n` +
        'connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n' +
        'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    const [head = '', body = ''] = (await text(socket)).split('\r\n\r\n');
    assert.match(head, /^HTTP\/1.1 426 Upgrade Required\r\n/);
    assert.match(head, /\r\nupgrade: HTTP\/1.1\r\n/i);
    assert.equal(JSON.parse(body).error.code, 'websocket_not_supported');
  });
}

const form = { 'content-type': 'application/x-www-form-urlencoded' };
const other = { origin: 'https://evil.example' };
for (const [what, headers, code] of [
  ['a form post of another site', { ...form, ...other }, 'cross_site_refused'],
  ['a text post of another site', { 'content-type': 'text/plain', ...other }, 'cross_site_refused'],
  ['a post without a type of another site', other, 'cross_site_refused'],
  ['a form post of a sandboxed page', { ...form, origin: 'null' }, 'cross_site_refused'],
  [
    'a form post that Sec-Fetch-Site calls cross-site',
    { ...form, 'sec-fetch-site': 'cross-site' },
    'cross_site_refused',
  ],
  ['a form post of a listed origin', { ...form, origin: page }, 'unsupported_media_type'],
  [
    'a form post of the same host',
    { ...form, origin: 'http://127.0.0.1:1' },
    'unsupported_media_type',
  ],
  ['a form post of a program', form, 'unsupported_media_type'],
  [
    'a type that only begins like JSON',
    { 'content-type': 'application/jsonp' },
    'unsupported_media_type',
  ],
] as const) {
  test(`${what} is refused: ${code}`, async () => {
    const body = new TextEncoder().encode('{}'); // fetch sets no content type for bytes
    const init = { method: 'POST', headers: { ...key, ...headers }, body, dispatcher };
    const response = await request(`${running.url}/v1/chat/completions`, init);
    const { error } = (await response.body.json()) as { error: { code: string } };
    assert.equal(error.code, code);
  });
}

for (const [method, path] of [
  ['POST', '/v1/responses/compact'],
  ['POST', '/v1/moderations'],
  ['POST', '/v1/images/generations'],
  ['POST', '/v1/audio/transcriptions'],
  ['GET', '/v1/batches'],
  ['GET', '/v1/files'],
  ['POST', '/v1/conversations'],
  ['GET', '/v1/chat/completions/chatcmpl-1'],
  ['POST', '/v1/responses/resp_1/cancel'],
  ['POST', '/realtime/sessions'],
  ['POST', '/api/v0/embeddings'],
] as const) {
  test(`${method} ${path} gets an error that names the unsupported path`, async () => {
    const response = await call(path, { method });
    const { error } = (await response.json()) as { error: { code: string } };
    assert.deepEqual([response.status, error.code], [404, 'endpoint_not_served']);
  });
}

for (const path of ['completions', 'embeddings']) {
  test(`POST /v1/${path} gets an error that names the supported paths`, async () => {
    const client = new OpenAI({ baseURL: `${running.url}/v1`, apiKey: 'secret' });
    const asked =
      path === 'embeddings'
        ? client.embeddings.create({ model: 'demo', input: 'Hello' })
        : client.completions.create({ model: 'demo', prompt: 'Hello' });
    await assert.rejects(asked, (error: unknown) => {
      assert.ok(error instanceof OpenAI.NotFoundError);
      assert.equal(error.code, 'endpoint_not_served');
      assert.match(error.message, /\/v1\/chat\/completions, \/v1\/responses or \/v1\/messages/);
      return true;
    });
  });
}
