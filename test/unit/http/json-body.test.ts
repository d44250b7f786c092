import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { Bytes, LongText, readJsonString, SLICE_BYTES } from '../../../server/long-text.ts';
import { inPieces, post, serveBodies } from './body-server.ts';

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
