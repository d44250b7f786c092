import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { postTo } from '../support/api.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { type RunningService, startService } from '../support/service.ts';

// Errors that only the runtime can find name the field as its client sent it.

let running: RunningService;
const png = await drawShape({ shape: 'circle', color: 'red' });
const image = toDataUrl(png, 'image/png');
before(async () => {
  running = await startService();
});
after(() => running.stop());

const bad = { type: 'banana' };
const tooLong = 'word '.repeat(5000);
const source = { type: 'base64', media_type: 'image/png', data: png.toString('base64') };
const chat = (extra: object, text = 'Hi') => ({
  messages: [
    {
      role: 'user',
      content: [
        { type: 'image_url', image_url: { url: image } },
        { type: 'text', text },
      ],
    },
  ],
  ...extra,
});
const response = (extra: object, text = 'Hi') => ({
  input: [
    {
      role: 'user',
      content: [
        { type: 'input_image', image_url: image },
        { type: 'input_text', text },
      ],
    },
  ],
  ...extra,
});
const message = (extra: object, text = 'Hi') => ({
  max_tokens: 50,
  messages: [
    {
      role: 'user',
      content: [
        { type: 'image', source },
        { type: 'text', text },
      ],
    },
  ],
  ...extra,
});
const format = { type: 'json_schema', json_schema: { name: 'x', schema: bad } };
const look = { type: 'function', function: { name: 'look', parameters: { properties: 3 } } };

const refused: [what: string, path: string, body: object, param: string, message: RegExp][] = [
  ['a schema', '/chat/completions', chat({ response_format: format }), 'response_format', /banana/],
  [
    'a schema',
    '/responses',
    response({ text: { format: { type: 'json_schema', name: 'x', schema: bad } } }),
    'text.format',
    /banana/,
  ],
  [
    'the schema of a forced call',
    '/chat/completions',
    chat({ tools: [look], tool_choice: 'required' }),
    'tools.0',
    /properties/,
  ],
  ['a long text', '/chat/completions', chat({}, tooLong), 'messages', /context length/],
  ['a long text', '/responses', response({}, tooLong), 'input', /context length/],
  [
    'half a character in a tool',
    '/chat/completions',
    chat({ tools: [{ type: 'function', function: { name: 'f', description: 'a \ud800' } }] }),
    'tools.0.function.description',
    /well-formed Unicode/,
  ],
  [
    'an argument that is no object',
    '/chat/completions',
    chat({
      tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'string' } } }],
    }),
    'tools.0.function.parameters',
    /a JSON Schema of type "object"/,
  ],
  [
    'a key that is not a token id',
    '/chat/completions',
    chat({ logit_bias: { word: 1 } }),
    'logit_bias.word',
    /^The name of `logit_bias\.word` must be a token id\.$/,
  ],
];

for (const [what, path, body, param, message] of refused) {
  for (const stream of [false, true]) {
    test(`an invalid ${what}, in ${path}${stream ? ', streaming' : ''}`, async () => {
      const { status, body: answer } = await postTo(running.url, `/v1${path}`, { ...body, stream });
      assert.deepEqual([status, answer.error.param], [400, param]);
      assert.match(answer.error.message, message);
    });
  }
}

test('Anthropic’s errors have no param, so the message names the field', async () => {
  const asked = message({ output_config: { format: { type: 'json_schema', schema: bad } } });
  const { status, body } = await postTo(running.url, '/v1/messages', asked);
  assert.deepEqual([status, body.error.type], [400, 'invalid_request_error']);
  assert.match(body.error.message, /`output_config\.format` .*banana/);
});

test('contradictory fields are refused with the runtime’s message', async () => {
  const asked = chat({ min_pixels: 1_000_000, max_pixels: 10 });
  const { body } = await postTo(running.url, '/v1/chat/completions', asked);
  assert.match(body.error.message, /request: min_pixels must not exceed max_pixels$/);
});
