import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChatCompletionRequest } from '../../../server/apis/chat/request.ts';
import { parseBody } from '../../../server/apis/parse-body.ts';
import { InvalidRequestError } from '../../../server/errors.ts';

const messages = [{ role: 'user', content: 'Hello' }];

/** Objects nested this many levels deep. */
function nested(levels: number): object {
  return levels === 0 ? {} : { a: nested(levels - 1) };
}

function problemWith(body: unknown) {
  try {
    parseBody(ChatCompletionRequest, body);
  } catch (error) {
    assert.ok(error instanceof InvalidRequestError);
    const { message, param, status, type } = error;
    assert.deepEqual({ status, type }, { status: 400, type: 'invalid_request_error' });
    return { message, param };
  }
  throw new TypeError('The body is valid.');
}

const cases: [string, unknown, { message: string; param: string | null }][] = [
  [
    'a body that is not an object',
    [],
    { message: 'The body must be an object (got an empty array).', param: null },
  ],
  [
    'no messages',
    {},
    { message: '`messages` is missing. It must be an array.', param: 'messages' },
  ],
  [
    'an empty conversation',
    { messages: [] },
    {
      message: '`messages` must be an array of at least 1 item (got an empty array).',
      param: 'messages',
    },
  ],
  [
    'a number out of range',
    { messages, max_tokens: 0 },
    { message: '`max_tokens` must be at least 1 (got 0).', param: 'max_tokens' },
  ],
  [
    'a fraction for an integer',
    { messages, seed: 1.5 },
    { message: '`seed` must be a signed 64-bit integer (got 1.5).', param: 'seed' },
  ],
  [
    'a text for a number',
    { messages, temperature: 'hot' },
    { message: '`temperature` must be a number (got "hot").', param: 'temperature' },
  ],
  [
    'a list that is too long',
    { messages, stop: Array(65).fill('a') },
    {
      message:
        '`stop` must be a string or an array of at most 64 items (got an array of 65 items).',
      param: 'stop',
    },
  ],
  [
    'a list that is too long',
    { messages, resize_shape: [1, 2, 3] },
    {
      message: '`resize_shape` must be an array of at most 2 items (got an array of 3 items).',
      param: 'resize_shape',
    },
  ],
  [
    'a list for a text',
    { messages, user: ['me'] },
    { message: '`user` must be a string (got an array of 1 item).', param: 'user' },
  ],
  [
    'a text that is too long',
    { messages, model: 'm'.repeat(257) },
    {
      message:
        '`model` must be a string of at most 256 characters (got a string of 257 characters).',
      param: 'model',
    },
  ],
  [
    'an empty text',
    { messages, thinking_start_token: '' },
    {
      message:
        '`thinking_start_token` must be a string of at least 1 character (got an empty string).',
      param: 'thinking_start_token',
    },
  ],
  [
    'an object with too many fields',
    { messages, metadata: Object.fromEntries(Array.from({ length: 5001 }, (_, at) => [at, ''])) },
    {
      message:
        '`metadata` must be an object of at most 5000 fields (got an object of 5001 fields).',
      param: 'metadata',
    },
  ],
  [
    'a schema that is too deep',
    { messages, json_schema: nested(65) },
    {
      message:
        '`json_schema` must be a schema of at most 20000 values and 64 levels or a string (got 66 values and 65 levels).',
      param: 'json_schema',
    },
  ],
  [
    'choices that are too long together',
    { messages, guided_choice: ['a'.repeat(30_000), 'b'.repeat(30_000)] },
    {
      message:
        '`guided_choice` must be choices of at most 50000 characters (got 60000 characters in 2 items).',
      param: 'guided_choice',
    },
  ],
  [
    'a part of an unknown type',
    { messages: [{ role: 'user', content: [{ type: 'video' }] }] },
    {
      message: '`messages.0.content.0.type` must be one of "text", "image_url" (got "video").',
      param: 'messages.0.content.0.type',
    },
  ],
  [
    'an image part without a URL',
    { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: {} }] }] },
    {
      message: '`messages.0.content.0.image_url.url` is missing. It must be a string.',
      param: 'messages.0.content.0.image_url.url',
    },
  ],
  [
    'an unknown role',
    { messages: [{ role: 'robot', content: 'Hello' }] },
    {
      message:
        '`messages.0.role` must be one of "system", "developer", "user", "assistant", "tool" (got "robot").',
      param: 'messages.0.role',
    },
  ],
  [
    'content of the wrong kind',
    { messages: [{ role: 'user', content: 5 }] },
    {
      message: '`messages.0.content` must be a string or an array (got 5).',
      param: 'messages.0.content',
    },
  ],
  [
    'a parameter that cannot be had here',
    { messages, audio: { voice: 'alloy' } },
    {
      message: '`audio` must be left out: this server answers in text (got an object).',
      param: 'audio',
    },
  ],
];

for (const [what, body, expected] of cases) {
  test(`${what} is refused with the field's name and what it must be`, () => {
    assert.deepEqual(problemWith(body), expected);
  });
}

test('a long value is not repeated in an error', () => {
  const { message } = problemWith({ messages: 'x'.repeat(5000) });
  assert.equal(message, '`messages` must be an array (got a string of 5000 characters).');
});

test('a field name as long as the request is truncated in the error', () => {
  const name = `${'🦜'.repeat(1e6)}end`;
  const { message, param } = new InvalidRequestError(`Unrecognized: ${name}`, { param: name });
  for (const text of [message, param ?? '']) {
    assert.ok(text.length < 2100 && text.endsWith('end') && text.isWellFormed());
  }
});
