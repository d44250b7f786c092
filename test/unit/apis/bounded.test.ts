import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { ChatCompletionRequest } from '../../../server/apis/chat/request.ts';
import { MessagesRequest } from '../../../server/apis/messages/request.ts';
import { parseBody } from '../../../server/apis/parse-body.ts';
import { ResponsesRequest } from '../../../server/apis/responses/request.ts';
import { Bytes, LongText } from '../../../server/long-text.ts';

const schemas = { ChatCompletionRequest, ResponsesRequest, MessagesRequest };

/** All schemas within a schema, with their paths. */
function* within(schema: z.core.$ZodType, path = ''): Generator<[string, z.core.$ZodType]> {
  yield [path, schema];
  const { def } = schema._zod;
  for (const [key, value] of Object.entries(def)) {
    for (const inner of [value].flat()) {
      if (inner instanceof z.core.$ZodType) yield* within(inner, `${path}.${key}`);
    }
  }
  if (!('shape' in def)) return;
  for (const [name, inner] of Object.entries(def.shape as Record<string, z.core.$ZodType>)) {
    yield* within(inner, `${path}.${name}`);
  }
}

for (const [name, schema] of Object.entries(schemas)) {
  test(`every list and record of ${name} has a limit`, () => {
    const unlimited: string[] = [];
    let [lists, records] = [0, 0];
    for (const [path, inner] of within(schema)) {
      if (inner instanceof z.ZodArray) {
        lists += 1;
        const checks = inner._zod.def.checks ?? [];
        if (!checks.some(({ _zod }) => _zod.def.check === 'max_length')) unlimited.push(path);
      }
      if (inner instanceof z.ZodRecord) {
        records += 1;
        if (inner.meta()?.['maxFields'] === undefined) {
          // A refinement is a separate schema; the outer one has the limit.
          const checks = inner._zod.def.checks ?? [];
          if (checks.length === 0) unlimited.push(path);
        }
      }
    }
    assert.deepEqual(unlimited, []);
    assert.ok(lists > 5 && records > 1, `${lists} lists, ${records} records`);
  });
}

test('validation stops at the first problem instead of reporting every item of a list', () => {
  let looked = 0;
  const schema = z.object({
    messages: z.array(
      z.custom(() => {
        looked += 1;
        return false;
      }),
    ),
  });
  assert.throws(() => parseBody(schema, { messages: Array(1000).fill(0) }), {
    param: 'messages.0',
  });
  assert.equal(looked, 1);
});

const question = { messages: [{ role: 'user', content: 'Hello' }] };
const edges: [name: string, most: unknown, tooMuch: unknown][] = [
  ['n', 128, 129],
  ['top_logprobs', 20, 21],
  ['temperature', 2, 2.1],
  ['top_p', 0, -0.1],
  ['presence_penalty', 2, 2.1],
  ['frequency_penalty', -2, -2.1],
  ['max_tokens', Number.MAX_SAFE_INTEGER, 2 ** 53],
  ['max_completion_tokens', 1, 0],
  ['stop', Array(64).fill('a'), Array(65).fill('a')],
  ['top_k', -1, -2],
  ['min_p', 1, 1.1],
  ['repetition_penalty', 10, 10.1],
  ['model', 'x'.repeat(256), 'x'.repeat(257)],
  ['logit_bias', { 1: 100 }, { 1: 101 }],
  ['modalities', Array(32).fill('text'), Array(33).fill('text')],
  ['min_pixels', 16_777_216, 16_777_217],
  ['resize_shape', [4096, 4096], [4096, 4097]],
  ['thinking_budget', 0, -1],
];
for (const [name, most, tooMuch] of edges) {
  test(`\`${name}\` may be at its limit, but not beyond it`, () => {
    const extra = name === 'top_logprobs' ? { logprobs: true } : {};
    assert.ok(parseBody(ChatCompletionRequest, { ...question, ...extra, [name]: most }));
    assert.throws(
      () => parseBody(ChatCompletionRequest, { ...question, ...extra, [name]: tooMuch }),
      ({ param, status }: { param?: string; status?: number }) =>
        status === 400 && param?.split('.')[0] === name,
    );
  });
}

test('long text is accepted where images are, and refused elsewhere', () => {
  const bytes = new Bytes();
  bytes.append(Buffer.from('data:image/png;base64,AAAA'));
  const url = new LongText(bytes, true);
  const part = { type: 'image_url', image_url: { url } };
  assert.ok(parseBody(ChatCompletionRequest, { messages: [{ role: 'user', content: [part] }] }));
  assert.throws(() => parseBody(ChatCompletionRequest, { ...question, user: url }), {
    param: 'user',
    message: /got a string of 26 characters/,
  });
});
