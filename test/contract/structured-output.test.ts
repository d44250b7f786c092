import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventsOf, postTo } from '../support/api.ts';
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

test('with response_format json_schema, the answer matches the schema', async () => {
  const response_format = { type: 'json_schema', json_schema };
  const answer = textOf(await post(running.url, question(image, { response_format })));
  assert.ok(['red', 'blue'].includes(JSON.parse(answer).color), answer);
});

test('with response_format json_object, the answer is an object', async () => {
  const response_format = { type: 'json_object' };
  const extra = { response_format, max_tokens: 200 };
  const { body } = await post(running.url, question(image, extra));
  const [choice] = body.choices;
  // A model may never end a string; its output is then a prefix of valid JSON.
  if (choice.finish_reason === 'stop')
    assert.equal(typeof JSON.parse(choice.message.content), 'object');
  else assert.match(choice.message.content, /^\s*\{/);
});

test('response_format text changes nothing', async () => {
  const extra = { response_format: { type: 'text' }, temperature: 0 };
  const answer = textOf(await post(running.url, question(image, extra)));
  assert.equal(answer, 'A red circle on a white background.');
});

test('a schema that no value can match, or with a dangling reference, is refused with the reason', async () => {
  for (const broken of [{ enum: [] }, false, { $ref: '#/$defs/gone' }]) {
    const inside = { type: 'object', properties: { a: broken }, required: ['a'] };
    const asked = { name: 'picture', schema: inside };
    const response_format = { type: 'json_schema', json_schema: asked };
    const { status, body } = await post(running.url, question(image, { response_format }));
    assert.equal(status, 400, JSON.stringify(body));
    assert.match(body.error.param, /^response_format/);
  }
});

test('strict: true refuses a keyword that cannot be enforced by its path, on every API', async () => {
  const unique = { type: 'object', properties: { a: { type: 'array', uniqueItems: true } } };
  const place = 'properties.a.uniqueItems';
  const called = { name: 'look', parameters: unique, strict: true };
  const input = [{ role: 'user', content: [{ type: 'input_image', image_url: image }] }];
  const content = [{ type: 'image', source: { type: 'url', url: image } }];
  const answers = [
    [
      'response_format.json_schema.schema',
      await post(
        running.url,
        question(image, {
          response_format: {
            type: 'json_schema',
            json_schema: { name: 'x', schema: unique, strict: true },
          },
        }),
      ),
    ],
    [
      'tools.0.function.parameters',
      await post(
        running.url,
        question(image, { tools: [{ type: 'function', function: called }], tool_choice: 'auto' }),
      ),
    ],
    [
      'tools.0.parameters',
      await postTo(running.url, '/v1/responses', {
        input,
        tools: [{ type: 'function', ...called }],
      }),
    ],
    [
      'tools.0.input_schema',
      await postTo(running.url, '/v1/messages', {
        messages: [{ role: 'user', content }],
        max_tokens: 5,
        tools: [{ name: 'look', input_schema: unique, strict: true }],
      }),
    ],
  ] as const;
  for (const [path, { status, body }] of answers) {
    assert.equal(status, 400);
    assert.match(body.error.message, new RegExp(`${path}.${place}`));
  }
});

const red = { type: 'object', properties: { color: { enum: ['red'] } }, required: ['color'] };
const gbnf = 'root ::= ("yes" | "no") "!"';
const forms = [
  [{ response_format: { type: 'json_object', schema: red } }, /^\{"color": "red"\}$/],
  [{ structured_outputs: { json: red } }, /^\{"color": "red"\}$/],
  [{ structured_outputs: { regex: '[ab]{3}' } }, /^[ab]{3}$/],
  [{ structured_outputs: { choice: ['cat', 'd.g'] } }, /^(cat|d\.g)$/],
  [{ structured_outputs: { grammar: gbnf } }, /^(yes|no)!$/],
  [{ guided_json: JSON.stringify(red) }, /^\{"color": "red"\}$/],
  [{ guided_regex: '[ab]{3}' }, /^[ab]{3}$/],
  [{ guided_choice: ['cat', 'dog'] }, /^(cat|dog)$/],
  [{ guided_grammar: 'start: "yes" | "no"' }, /^(yes|no)$/],
  [{ json_schema: red }, /^\{"color": "red"\}$/],
  [{ grammar: gbnf }, /^(yes|no)!$/],
] as const;
for (const [form, expected] of forms) {
  test(`the answer matches ${JSON.stringify(form).slice(0, 60)}`, async () => {
    const { status, body } = await post(running.url, question(image, { ...form, max_tokens: 60 }));
    assert.equal(status, 200, JSON.stringify(body));
    assert.match(body.choices[0].message.content, expected);
  });
}

test('Responses and Messages accept the formats of other servers', async () => {
  const form = { guided_choice: ['cat', 'dog'] };
  const input = [{ role: 'user', content: [{ type: 'input_image', image_url: image }] }];
  const response = await postTo(running.url, '/v1/responses', { input, ...form });
  assert.match(response.body.output[0].content[0].text, /^(cat|dog)$/);
  const messages = [
    { role: 'user', content: [{ type: 'image', source: { type: 'url', url: image } }] },
  ];
  const message = await postTo(running.url, '/v1/messages', { messages, max_tokens: 9, ...form });
  assert.match(message.body.content[0].text, /^(cat|dog)$/);
});

test('two output formats in one request get 400 that names both', async () => {
  const both = { guided_regex: 'a', response_format: { type: 'json_object' } };
  const { status, body } = await post(running.url, question(image, both));
  assert.equal(status, 400);
  assert.match(body.error.message, /`response_format` and `guided_regex`/);
});

test('a regular expression or grammar that cannot be read gets 400 that names it', async () => {
  for (const [field, text] of Object.entries({ guided_regex: '(', grammar: 'root = oops' })) {
    const { status, body } = await post(running.url, question(image, { [field]: text }));
    assert.deepEqual([status, body.error.param], [400, field]);
  }
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

test('Responses and Messages accept a schema in their own format', async () => {
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

test('the joined bytes of logprobs are the text, also where a character spans several tokens', async () => {
  const text = 'naïve 日本 🦊👩‍👧';
  const choice = { structured_outputs: { choice: [text] }, max_tokens: 100 };
  const chat = { ...question(image, { ...choice, logprobs: true, top_logprobs: 2 }) };
  const input = [
    {
      role: 'user',
      content: [
        { type: 'input_text', text: 'What is in this image?' },
        { type: 'input_image', image_url: image },
      ],
    },
  ];
  const response = { input, ...choice, top_logprobs: 2 };
  const chunks = await eventsOf(running.url, '/v1/chat/completions', chat);
  const events = await eventsOf(running.url, '/v1/responses', response);
  const { body: completion } = await postTo(running.url, '/v1/chat/completions', chat);
  const { body: whole } = await postTo(running.url, '/v1/responses', response);
  const of = (type: string) => events.filter(({ event }) => event === type);
  const entriesByPlace = {
    'a chat completion': completion.choices[0].logprobs.content,
    'a streamed chat completion': chunks.flatMap(
      ({ data }) => data.choices?.[0]?.logprobs?.content ?? [],
    ),
    'a response': whole.output[0].content[0].logprobs,
    'the deltas of a response': of('response.output_text.delta').flatMap(
      ({ data }) => data.logprobs,
    ),
    'the end of its text': of('response.output_text.done')[0]?.data.logprobs,
    'the end of a response':
      of('response.completed')[0]?.data.response.output[0].content[0].logprobs,
  };
  const joined = (entries: { bytes: number[] }[]) =>
    Buffer.from(entries.flatMap(({ bytes }) => bytes)).toString();
  for (const [where, entries] of Object.entries(entriesByPlace)) {
    assert.equal(joined(entries), text, where);
    assert.ok(entries.length > [...text].length, 'a character spans several tokens');
    // The most likely of the allowed tokens was chosen.
    const [fox] = entries.filter(({ bytes }: { bytes: number[] }) => bytes[0] === 0xf0);
    assert.ok(fox.bytes.length < 4 && fox.top_logprobs[0].bytes.length > 0, where);
  }
});
