import assert from 'node:assert/strict';
import { eventsOf, postTo } from '../support/api.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';

/** The image that the tests ask about. */
export const image = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');

const parameters = {
  type: 'object',
  properties: { which: { enum: ['left', 'right'] } },
  required: ['which'],
};
/** Tools in the forms of Responses: a function, namespaces, custom tools and their grammars. */
const snap = { type: 'function', name: 'snap', parameters };
export const camera = {
  type: 'namespace',
  name: 'mcp__camera',
  description: 'A camera.',
  tools: [snap],
};
export const phone = {
  type: 'namespace',
  name: 'mcp__phone',
  description: 'A phone.',
  tools: [snap],
};
export const patch = { type: 'custom', name: 'apply_patch', description: 'Changes files.' };
const lines = 'start: "*** Begin" LINE+ "*** End"\nLINE: /[a-c]{1,3}\\n/';
export const lark = { type: 'grammar', syntax: 'lark', definition: lines };
export const regex = { type: 'grammar', syntax: 'regex', definition: '[a-c]{2}/\\d' };
export const own = { type: 'namespace', name: 'functions', tools: [{ ...patch, name: 'exec' }] };
export const search = { type: 'web_search' };
/** One of each, and a tool that runs elsewhere. */
export const tools = [
  { type: 'function', name: 'run', parameters: {} },
  camera,
  phone,
  patch,
  own,
  search,
];

/** The input of a request about the image. */
export const input = [
  { type: 'message', role: 'user', content: [{ type: 'input_image', image_url: image }] },
];

/** An output item. */
export interface Item {
  type: string;
  namespace?: string;
  name?: string;
  arguments?: string;
  input?: string;
  [field: string]: unknown;
}

export const status = 'completed';
/** Calls of `snap` and `apply_patch`. */
export const snapped = {
  type: 'function_call',
  status,
  name: 'snap',
  arguments: '{"which": "left"}',
};
export const patched = {
  type: 'custom_tool_call',
  status,
  name: 'apply_patch',
  input: 'one, (two) ü 😀',
};
/** A chat completion with a function and a custom tool. */
const chatTools = [
  { type: 'function' as const, function: { name: 'run', parameters } },
  {
    type: 'custom' as const,
    custom: {
      name: 'note',
      format: {
        type: 'grammar' as const,
        grammar: { syntax: 'regex' as const, definition: regex.definition },
      },
    },
  },
];
export const chat = {
  model: 'demo',
  messages: [
    {
      role: 'user' as const,
      content: [{ type: 'image_url' as const, image_url: { url: image } }],
    },
  ],
  tools: chatTools,
};

/** The calls of a response. Asserts that they are the same streamed and not. */
export async function callsOf(url: string, body: object): Promise<Item[]> {
  const { status: code, body: whole } = await postTo(url, '/v1/responses', body);
  assert.equal(code, 200, JSON.stringify(whole));
  const events = await eventsOf(url, '/v1/responses', { ...body, stream: true });
  const streamed = events.at(-1)?.data.response;
  const calls = [whole, streamed].map(({ output }) =>
    (output as Item[])
      .filter(({ type }) => type.endsWith('_call'))
      .map(({ id: _, call_id: __, ...call }) => call),
  );
  assert.deepEqual(calls[0], calls[1]);
  return calls[0] ?? [];
}
