import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { postTo } from '../support/api.ts';
import { post, question, textOf } from '../support/chat.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { type RunningService, startService } from '../support/service.ts';

let running: RunningService;
const image = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
before(async () => {
  running = await startService();
});
after(() => running.stop());

const schema = {
  type: 'object',
  properties: { color: { type: 'string', enum: ['red', 'blue'] } },
  required: ['color'],
  additionalProperties: false,
};
const json_schema = { name: 'picture', schema, strict: true };

test('response_format json_schema has the answer fit the schema', async () => {
  const response_format = { type: 'json_schema', json_schema };
  const answer = textOf(await post(running.url, question(image, { response_format })));
  assert.ok(['red', 'blue'].includes(JSON.parse(answer).color), answer);
});

test('response_format json_object has the answer be an object', async () => {
  const response_format = { type: 'json_object' };
  const extra = { response_format, max_tokens: 200 };
  const { body } = await post(running.url, question(image, extra));
  const [choice] = body.choices;
  // A model may go on for ever inside a string; what it wrote is JSON as far as it got.
  if (choice.finish_reason === 'stop')
    assert.equal(typeof JSON.parse(choice.message.content), 'object');
  else assert.match(choice.message.content, /^\s*\{/);
});

test('response_format text is the usual answer', async () => {
  const extra = { response_format: { type: 'text' }, temperature: 0 };
  const answer = textOf(await post(running.url, question(image, extra)));
  assert.equal(answer, 'A red circle on a white background.');
});

test('a schema that no grammar can be made of is refused, with the reason', async () => {
  const broken = { name: 'picture', schema: { type: 'nonsense' } };
  const response_format = { type: 'json_schema', json_schema: broken };
  const { status, body } = await post(running.url, question(image, { response_format }));
  assert.equal(status, 400);
  assert.equal(body.error.type, 'invalid_request_error');
});

const recursive = {
  type: 'object',
  properties: { inner: { $ref: '#' } },
  required: ['inner'],
  additionalProperties: false,
};
const wide = {
  type: 'object',
  properties: Object.fromEntries(
    Array.from({ length: 850 }, (_, at) => [`p${at}`, { enum: ['a', 'b', 'c'] }]),
  ),
  additionalProperties: false,
};
const deep = (levels: number): object =>
  levels === 0 ? { type: 'string' } : { type: 'array', items: deep(levels - 1) };
const huge = { type: 'object', properties: { a: { enum: [...Array(9999).keys(), ...'ab'] } } };
for (const [what, complex] of [
  ['a value that must contain itself', recursive],
  ['hundreds of optional properties', wide],
  ['too many levels', { type: 'object', properties: { a: deep(70) } }],
  ['too many choices', huge],
] as const) {
  test(`a schema with ${what} gets 400 that names its field, and so do tools`, async () => {
    const asked = { name: 'picture', schema: complex };
    const format = { response_format: { type: 'json_schema', json_schema: asked } };
    const tools = [{ type: 'function', function: { name: 'look', parameters: complex } }];
    for (const [extra, field, stream] of [
      [format, /^response_format/, false],
      [format, /^response_format/, true],
      [{ tools, tool_choice: 'required' }, /^tools\.0/, false],
    ] as const) {
      const { status, body } = await post(running.url, question(image, { ...extra, stream }));
      assert.equal(status, 400, JSON.stringify(body));
      assert.match(body.error.param, field);
      assert.ok(body.error.message.length < 500);
    }
  });
}

test('Responses and Messages take a schema in their own words', async () => {
  const input = [{ role: 'user', content: [{ type: 'input_image', image_url: image }] }];
  const text = { format: { type: 'json_schema', name: 'picture', schema } };
  const response = await postTo(running.url, '/v1/responses', { input, text });
  assert.ok(['red', 'blue'].includes(JSON.parse(response.body.output[0].content[0].text).color));
  const source = { type: 'url', url: image };
  const messages = [{ role: 'user', content: [{ type: 'image', source }] }];
  const output_config = { format: { type: 'json_schema', schema } };
  const asked = { messages, max_tokens: 50, output_config };
  const message = await postTo(running.url, '/v1/messages', asked);
  assert.ok(['red', 'blue'].includes(JSON.parse(message.body.content[0].text).color));
});
