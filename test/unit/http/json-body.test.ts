import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { type MessagePort, Worker } from 'node:worker_threads';
import { deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { JsonScanner } from '../../../server/http/json-scanner.ts';
import { MAX_VALUES } from '../../../server/limits.ts';
import { Bytes, LongText, readJsonString, SLICE_BYTES } from '../../../server/long-text.ts';
import { serveBodies } from './body-server.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

async function post(url: string, body: RequestInit['body'], headers = {}) {
  const init = { method: 'POST', headers: { ...JSON_TYPE, ...headers }, body, duplex: 'half' };
  const response = await fetch(url, init as RequestInit);
  // biome-ignore lint/suspicious/noExplicitAny: tests read any response
  const answer = (await response.json()) as any;
  return { status: response.status, headers: response.headers, answer };
}

/** Sends pieces of these lengths repeatedly, without a content-length. */
async function* inPieces(bytes: Buffer, lengths: readonly number[]) {
  for (let at = 0, index = 0; at < bytes.length; index += 1) {
    const length = lengths[index % lengths.length] ?? 1;
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

const image = (length: number) => `data:image/png;base64,${'iVBORw0K'.repeat(length / 8)}`;
const question = (url: string) => ({
  messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }],
});

test('any body is parsed as by JSON.parse, however it is split into chunks', async (t) => {
  const { url } = await serveBodies(t);
  const key = fc.constantFrom('url', 'image_url', 'data', 'type', 'x"\\y', 'é');
  const word = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 20 }),
    fc.constantFrom('"', '\\', '\\"', 'data:', '{"url":"', ',]}', '\u2028', '💥'),
    fc.constantFrom('a/b\n', '\\"x', 'é💥').map((unit) => unit.repeat(8000)),
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      word,
      fc.integer(),
      fc.constantFrom(null, true, 1.5e300),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(key, tie('value'), { maxKeys: 4, noNullPrototype: true }),
    ),
  }));
  const body = fc.dictionary(key, value, { maxKeys: 5, noNullPrototype: true });
  const lengths = fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(body, fc.boolean(), lengths, async (sent, escaped, pieces) => {
      const json = escaped
        ? JSON.stringify(sent, null, 1).replaceAll('/', '\\/').replaceAll('é', '\\u00e9')
        : JSON.stringify(sent);
      const { status, answer } = await post(url, inPieces(Buffer.from(json), pieces));
      assert.deepEqual([status, answer], [200, JSON.parse(json)]);
    }),
    { numRuns: 300, seed: 23 },
  );
});

for (const [what, path, body] of [
  ['chat completions', 'messages.0.content.0.image_url.url', question(image(40_000))],
  [
    'Responses',
    'input.0.content.0.image_url',
    { input: [{ content: [{ type: 'input_image', image_url: image(40_000) }] }] },
  ],
  [
    'a result of a tool in Messages',
    'messages.0.content.0.content.0.source.data',
    { messages: [{ content: [{ content: [{ source: { data: image(40_000) } }] }] }] },
  ],
] as const) {
  test(`a long image of ${what} stays as bytes and is forwarded unchanged`, async (t) => {
    let found: unknown;
    const { url } = await serveBodies(t, {
      use: (body) => {
        found = path.split('.').reduce((value, key) => Object(value)[key], body);
        return body;
      },
    });
    for (const json of [JSON.stringify(body), JSON.stringify(body).replaceAll('/', '\\/')]) {
      const { answer } = await post(url, inPieces(Buffer.from(json), [7000]));
      assert.ok(found instanceof LongText);
      assert.deepEqual(answer, body);
    }
  });
}

test('long text in any other field is a string', async (t) => {
  let found: unknown;
  const { url } = await serveBodies(t, {
    use: (body) => {
      found = Object(body).metadata.url;
      return {};
    },
  });
  await post(
    url,
    inPieces(Buffer.from(JSON.stringify({ metadata: { url: image(40_000) } })), [9e3]),
  );
  assert.equal(found, image(40_000));
});

test('a client cannot refer to an image elsewhere in the body', async (t) => {
  const { url } = await serveBodies(t, { use: (body) => body });
  for (const forged of ['00000000-0000-4000-8000-0000000000000', '0', '{0}']) {
    const body = question(image(40_000));
    body.messages.push(...question(forged).messages);
    const { answer } = await post(url, inPieces(Buffer.from(JSON.stringify(body)), [5000]));
    assert.deepEqual(answer, body);
  }
});

test('a byte order mark before a large body is skipped', async (t) => {
  const { url } = await serveBodies(t);
  const body = Buffer.from(`\ufeff{"a":"${'x'.repeat(300_000)}"}`);
  assert.equal((await post(url, body)).status, 200);
});

const long = 'A'.repeat(20_000);
for (const [what, json] of [
  ['a line break in an image', JSON.stringify(question(`|${long}`)).replace('|', '\n')],
  ['a line break in another text', `{"data":"\n${long}"}`],
  ['a line break in a short text', '{"data":"\n"}'],
  ['an invalid escape', `{"data":"\\q${long}"}`],
  ['a lone surrogate', `{"url":"\\ud800${long}"}`],
  ['a lone surrogate in an image', JSON.stringify(question(`data:\ud800${long}`))],
  ['a byte that is not UTF-8', Buffer.from(`{"url":"${long}\xff"}`, 'latin1')],
  ['a long name after a number for a URL', `{"url":1,"${long}":{"data":null,"${long}":2}}`],
  ['a prototype', '{"a":[{"__proto__":{}}]}'],
  ['a word that is not JSON', '{"a":NaN}'],
  ['text after a long image', `${JSON.stringify(question(long))}x`],
  ['just a string', '"x"'],
  ['only spaces', '  '],
] as const) {
  test(`a large body with ${what} gets the same response as a small one`, async (t) => {
    const { url } = await serveBodies(t);
    const padded = Buffer.concat([Buffer.from(json), Buffer.alloc(300_000, ' ')]);
    const [small, large] = [await post(url, json), await post(url, padded)];
    // The length of long text is in bytes.
    const answer = JSON.parse(JSON.stringify(large.answer).replace(/20\d\d\d char/g, '20008 char'));
    const expected = JSON.parse(
      JSON.stringify(small.answer).replace(/20\d\d\d char/g, '20008 char'),
    );
    assert.deepEqual([large.status, answer], [small.status, expected]);
  });
}

test('gzip and deflate are decompressed; other encodings are refused', async (t) => {
  const { url } = await serveBodies(t);
  const body = Buffer.from(JSON.stringify(question(image(400_000))));
  for (const [encoding, packed] of [
    ['gzip', gzipSync(body)],
    ['deflate', deflateSync(body)],
  ] as const) {
    const { answer } = await post(url, packed, { 'content-encoding': encoding });
    assert.deepEqual(answer, JSON.parse(body.toString()), encoding);
  }
  for (const encoding of ['br', 'compress', 'x'.repeat(50)]) {
    const { status, answer } = await post(url, body, { 'content-encoding': encoding });
    assert.deepEqual([status, answer.error.code], [415, 'unsupported_media_type']);
  }
  const broken = await post(url, gzipSync(body).subarray(0, 200), { 'content-encoding': 'gzip' });
  assert.equal(broken.status, 400);
});

const zeros = (bytes: number) => `{"messages":[0${',0'.repeat(bytes / 2)}]}`;
const bad: [string, () => string | Buffer, string | null, string | null][] = [
  [
    'number of values beyond the limit',
    () =>
      `[${Array(20)
        .fill(`[${'0,'.repeat(3000)}0]`)
        .join(',')}]`,
    'body_too_complex',
    null,
  ],
  ['list of too many items', () => zeros(30_000), 'body_too_complex', 'messages'],
  [
    'object of too many fields',
    () =>
      JSON.stringify({
        logit_bias: Object.fromEntries(Array.from({ length: 6000 }, (_, i) => [i, 1])),
      }),
    'body_too_complex',
    'logit_bias',
  ],
  [
    'body nested too deeply',
    () => `{"a":${'['.repeat(200)}${']'.repeat(200)}}`,
    'body_too_complex',
    null,
  ],
  [
    'large body nested too deeply',
    () => `{"a":${'['.repeat(20_000)}${']'.repeat(20_000)},"b":"${'x'.repeat(300_000)}"}`,
    'body_too_complex',
    null,
  ],
  ['endless text', () => `{"x":"${'x'.repeat(9e6)}"}`, 'text_too_large', null],
  [
    'number of long images beyond the limit',
    () =>
      `{"messages":[{"content":[${Array(1501).fill(`{"image_url":"${'a'.repeat(16_384)}"}`)}]}]}`,
    'too_many_images',
    null,
  ],
  ['endless whitespace', () => `{${' '.repeat(9e6)}}`, 'text_too_large', null],
  ['truncated large body', () => `{"x":"${'x'.repeat(300_000)}`, null, null],
  ['large string', () => `"${'x'.repeat(300_000)}"`, null, null],
  ['prototype', () => '{"a":{"__proto__":{"x":1}}}', null, 'a.__proto__'],
  [
    'large body with a prototype',
    () => `{"a":{"__proto__":{}},"b":"${'x'.repeat(300_000)}"}`,
    null,
    'a.__proto__',
  ],
];
for (const [what, make, code, param] of bad) {
  test(`a ${what} is refused with 400`, async (t) => {
    const { url } = await serveBodies(t);
    const { status, answer } = await post(url, make());
    assert.deepEqual([status, answer.error.code, answer.error.param], [400, code, param]);
  });
}

/** Runs a function in a separate thread, so that its work does not count as the server's. */
function inThread(
  work: (url: string, port: MessagePort, ...data: never[]) => unknown,
  url: string,
  ...data: unknown[]
) {
  const worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
     Promise.resolve((${work})(workerData.url, parentPort, ...workerData.data))
       .then((result) => { parentPort.postMessage(result); parentPort.close(); });`,
    { eval: true, workerData: { url, data } },
  );
  const result = once(worker, 'message').then(([message]) => message);
  return { result, stop: () => worker.postMessage('stop') };
}

/** Sends requests until stopped. Returns the slowest response time in milliseconds. */
async function askOften(url: string, port: MessagePort) {
  let [slowest, isStopped] = [0, false];
  (port as unknown as NodeJS.EventEmitter).on('message', () => {
    isStopped = true;
  });
  const headers = { 'content-type': 'application/json' };
  while (!isStopped) {
    const start = performance.now();
    const response = await fetch(url, { method: 'POST', headers, body: '{"a":1}' });
    if ((await response.text()) !== '{"a":1}') throw new Error('a wrong answer');
    slowest = Math.max(slowest, performance.now() - start);
  }
  return Math.round(slowest);
}

/** Posts `head`, `unit` repeatedly, and `tail`. Reads the response as soon as it arrives. */
function postRepeated(
  url: string,
  _: MessagePort,
  head: string,
  unit: string,
  times: number,
  tail: string,
) {
  const body = Buffer.from(head + unit.repeat(times) + tail);
  const { request } = process.getBuiltinModule('node:http');
  const headers = { 'content-type': 'application/json', 'content-length': body.length };
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const sent = request(url, { method: 'POST', headers }, (response) => {
      const elapsedMs = Math.round(performance.now() - start);
      response.setEncoding('utf8');
      let answer = '';
      response.on('data', (text) => {
        answer += text;
      });
      response.on('end', () => {
        sent.destroy();
        resolve({ status: response.statusCode, code: JSON.parse(answer).error?.code, elapsedMs });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/**
 * The longest time that this thread was busy between two timer ticks. Measured in CPU time, since
 * wall time includes other processes.
 */
function startStallWatch() {
  let [longest, before] = [0, process.threadCpuUsage()];
  const timer = setInterval(() => {
    const now = process.threadCpuUsage();
    longest = Math.max(longest, now.user + now.system - before.user - before.system);
    before = now;
  }, 1);
  return () => {
    clearInterval(timer);
    return Math.round(longest / 1000);
  };
}

/** The cost of a large body: the longest stall of this thread, and another client's wait. */
async function costOf(
  url: string,
  ...body: [head: string, unit: string, times: number, tail: string]
) {
  const other = inThread(askOften, url);
  const sent = inThread(postRepeated, url, ...body);
  const stopWatch = startStallWatch();
  const answer = await sent.result;
  const stallMs = stopWatch();
  other.stop();
  return { ...answer, stallMs, otherMs: await other.result };
}

for (const megabytes of [1, 10, 100]) {
  test(`a list of zeros of ${megabytes} MB is refused within a second, without delaying others`, async (t) => {
    const { url, budget } = await serveBodies(t, { maxMegabytes: 101 });
    const cost = await costOf(url, '{"messages":[0', ',0', megabytes * 500_000, ']}');
    t.diagnostic(JSON.stringify(cost));
    assert.deepEqual([cost.status, cost.code], [400, 'body_too_complex']);
    assert.ok(cost.elapsedMs < 1000);
    assert.ok(cost.stallMs < 100);
    assert.equal(budget.used, 0);
  });
}

const part = `{"type":"text","text":"${'abcdefghi '.repeat(80)}"},`;
const allowed: [string, [head: string, unit: string, times: number, tail: string]][] = [
  ['the most text', ['{"messages":[{"content":[', part, 9000, '0]}]}']],
  ['one text', ['{"x":"', 'abcdefghij', 780_000, '"}']],
  ['the most values', ['{"a":[', '[{"a":1,"b":[0]}],', 9800, '0]}']],
  ['a large image', ['{"messages":[{"content":[{"image_url":"data:', 'abcd', 24_000_000, '"}]}]}']],
  [
    'an image with escapes',
    ['{"messages":[{"content":[{"image_url":"data:', 'ab\\/c', 19_000_000, '"}]}]}'],
  ],
  [
    'an image of escapes',
    ['{"messages":[{"content":[{"image_url":"', '\\u0061', 15_000_000, '"}]}]}'],
  ],
  [
    'images under a long name',
    [`{"${'k'.repeat(6e6)}":[`, `{"url":"${'abcd'.repeat(4100)}"},`, 480, '0]}'],
  ],
  [
    'many images',
    ['{"messages":[{"content":[', `{"image_url":"${'abcd'.repeat(15_000)}"},`, 1500, '0]}]}'],
  ],
];
for (const [what, body] of allowed) {
  test(`a body of ${what} within the limits does not delay others`, async (t) => {
    const { url } = await serveBodies(t, {
      use: (body) => ({ a: Object(body).a === 1 ? 1 : undefined }),
    });
    const cost = await costOf(url, ...body);
    t.diagnostic(JSON.stringify(cost));
    assert.equal(cost.status, 200);
    assert.ok(cost.stallMs < 100);
  });
}

test('a body over the limit gets 413 before and while it arrives', async (t) => {
  const { url, budget } = await serveBodies(t, { maxMegabytes: 1 });
  const body = Buffer.from(`{"x":"${'x'.repeat(1_100_000)}"}`);
  for (const sent of [body, inPieces(body, [50_000])]) {
    const { status, answer } = await post(url, sent);
    assert.deepEqual([status, answer.error.code], [413, 'body_too_large']);
  }
  assert.equal(budget.used, 0);
});

/** Sends headers and the start of a body, and waits for the response. */
function sendUnfinished(port: number, length: number, bytes: Buffer) {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(
    'POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n' +
      `content-length: ${length}\r\n\r\n`,
  );
  socket.write(bytes);
  return socket;
}

test('unfinished bodies use memory for what has arrived; beyond the limit they get 429, and ordinary ones still fit', async (t) => {
  const { url, port, budget } = await serveBodies(t, { memoryBytes: 8e6 });
  const start = Buffer.concat([Buffer.from('{"x":"'), Buffer.alloc(2e6, 'a')]);
  const sockets = Array.from({ length: 8 }, () => sendUnfinished(port, 5e6, start));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  const heads = sockets.map(async (socket) => {
    const [chunk] = await once(socket, 'data');
    return String(chunk).split('\r\n');
  });
  const refused = await Promise.all([...Array(5)].map(() => Promise.race(heads))); // some
  assert.match(refused[0]?.[0] ?? '', /429/);
  assert.ok(refused[0]?.some((line) => /^retry-after: \d+$/i.test(line)));
  assert.ok(budget.used <= 7e6, `${budget.used} bytes`);
  assert.equal((await post(url, '{"a":1}')).status, 200);
  for (const socket of sockets) socket.destroy();
});

test('a refused body uses no memory, even if its client keeps sending', async (t) => {
  const { port } = await serveBodies(t, { memoryBytes: 40e6 });
  const before = process.memoryUsage().arrayBuffers;
  const start = '{"messages":[{"role":"user","content":[{"image_url":{"url":"data:';
  const bytes = Buffer.concat([Buffer.from(start), Buffer.alloc(60e6, 'a')]);
  const socket = sendUnfinished(port, 90e6, bytes);
  t.after(() => socket.destroy());
  const [answer] = await once(socket, 'data');
  assert.match(String(answer), /^HTTP\/1.1 429 /);
  const grown = process.memoryUsage().arrayBuffers - before - bytes.length;
  assert.ok(grown < 25e6, `${Math.round(grown / 1e6)} MB`);
});

test('a Content-Length alone uses no memory', async (t) => {
  const { port, budget } = await serveBodies(t, { memoryBytes: 8e6 });
  const socket = sendUnfinished(port, 5e6, Buffer.from('{'));
  t.after(() => socket.destroy());
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(budget.used <= 1);
});

for (const [what, length] of [
  ['an ordinary', 1000],
  ['a large', 1_000_000],
] as const) {
  test(`${what} body that stops arriving gets 408, and its memory is freed`, async (t) => {
    const { port, budget } = await serveBodies(t, { idleMs: 100 });
    const socket = sendUnfinished(port, length, Buffer.from('{"x":"aaaa'));
    assert.match(await text(socket), /^HTTP\/1.1 408 .*"code":"body_too_slow"/s);
    assert.equal(budget.used, 0);
  });
}

test('a large body that arrives too slowly gets 408, too', async (t) => {
  const { port } = await serveBodies(t, { idleMs: 100 });
  const socket = sendUnfinished(port, 1_000_000, Buffer.from('{"x":"'));
  const trickle = setInterval(() => socket.write('a'), 5);
  t.after(() => clearInterval(trickle));
  assert.match(await text(socket), /^HTTP\/1.1 408 /);
});

test('a client that disconnects mid-body frees its memory', async (t) => {
  const { port, budget } = await serveBodies(t);
  const socket = sendUnfinished(
    port,
    5e6,
    Buffer.concat([Buffer.from('{"x":"'), Buffer.alloc(1e6, 'a')]),
  );
  while (budget.used < 1e6) await new Promise((resolve) => setTimeout(resolve, 5));
  socket.destroy();
  while (budget.used > 0) await new Promise((resolve) => setTimeout(resolve, 5));
});

test('reading a long string in slices never splits a character', async () => {
  for (const character of ['\\ud83d\\ude00', '\\u00e9', '\\n', '😀', 'é']) {
    for (let before = SLICE_BYTES - 30; before <= SLICE_BYTES + 1; before += 1) {
      const json = `${'a'.repeat(before)}${character}${'b'.repeat(40)}`;
      const literal = new Bytes();
      literal.append(Buffer.from(json));
      const text = await readJsonString(literal, character.startsWith('\\'));
      assert.ok(text.isWellFormed, `${character} at ${before}`);
      assert.ok(text.toString() === JSON.parse(`"${json}"`), `${character} at ${before}`);
    }
  }
});

test('a body may have exactly the allowed number of values', () => {
  const list = (items: number) => Buffer.from(`{"x":[${Array(items).fill(0)}]}`);
  new JsonScanner('x').push(list(MAX_VALUES - 2)); // the object and the list are values too
  assert.throws(() => new JsonScanner('x').push(list(MAX_VALUES - 1)), {
    code: 'body_too_complex',
  });
});
