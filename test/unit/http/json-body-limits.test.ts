import assert from 'node:assert/strict';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { JsonScanner } from '../../../server/http/json-scanner.ts';
import { MAX_VALUES } from '../../../server/limits.ts';
import { inPieces, post, sendUnfinished, serveBodies } from './body-server.ts';

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

test('a body over the limit gets 413 before and while it arrives', async (t) => {
  const { url, budget } = await serveBodies(t, { maxMegabytes: 1 });
  const body = Buffer.from(`{"x":"${'x'.repeat(1_100_000)}"}`);
  for (const sent of [body, inPieces(body, [50_000])]) {
    const { status, answer } = await post(url, sent);
    assert.deepEqual([status, answer.error.code], [413, 'body_too_large']);
  }
  assert.equal(budget.used, 0);
});

test('a body may have exactly the allowed number of values', () => {
  const list = (items: number) => Buffer.from(`{"x":[${Array(items).fill(0)}]}`);
  new JsonScanner('x').push(list(MAX_VALUES - 2)); // the object and the list are values too
  assert.throws(() => new JsonScanner('x').push(list(MAX_VALUES - 1)), {
    code: 'body_too_complex',
  });
});

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
  await setTimeout(50);
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
  while (budget.used < 1e6) await setTimeout(5);
  socket.destroy();
  while (budget.used > 0) await setTimeout(5);
});
