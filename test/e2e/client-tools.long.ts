import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { postTo } from '../support/api.ts';
import { schemaErrors } from '../support/openapi/validate.ts';
import { type RunningService, startService } from '../support/service.ts';
import {
  callsOf,
  camera,
  chat,
  type Item,
  image,
  input,
  lark,
  own,
  patch,
  patched,
  regex,
  search,
  snapped,
  tools,
} from './client-tools.ts';

/*
 * Custom tools and namespaces run in the client: the model sees functions, and a call is returned
 * in the form of its tool.
 */

/** The demo model, for forced calls. */
let running: RunningService;
let openai: OpenAI;
before(async () => {
  running = await startService();
  openai = new OpenAI({ baseURL: `${running.url}/v1`, apiKey: 'none', maxRetries: 0 });
});
after(() => running.stop());

const forced: [what: string, body: object, call: Item, text: RegExp][] = [
  [
    'a namespace',
    { tools: [camera], tool_choice: 'required' },
    { type: 'function_call', namespace: 'mcp__camera', name: 'snap' },
    /^\{"which": "(left|right)"\}$/,
  ],
  [
    'a tool of a namespace by its bare name',
    { tools: [camera, patch], tool_choice: { type: 'function', name: 'snap' } },
    { type: 'function_call', namespace: 'mcp__camera', name: 'snap' },
    /^\{"which": "(left|right)"\}$/,
  ],
  [
    'a tool of a namespace by both names',
    { tools, tool_choice: { type: 'function', namespace: 'mcp__phone', name: 'snap' } },
    { type: 'function_call', namespace: 'mcp__phone', name: 'snap' },
    /^\{"which": "(left|right)"\}$/,
  ],
  [
    'a custom tool of free text',
    { tools, tool_choice: { type: 'custom', name: 'apply_patch' } },
    { type: 'custom_tool_call', name: 'apply_patch' },
    /^/,
  ],
  [
    'a custom tool with a Lark grammar',
    { tools: [{ ...patch, format: lark }], tool_choice: 'required' },
    { type: 'custom_tool_call', name: 'apply_patch' },
    /^\*\*\* Begin([a-c]{1,3}\n)+(\*\*\* End)?/,
  ],
  [
    'a custom tool with a regular expression',
    {
      tools: [...tools.slice(0, 3), { ...patch, format: regex }],
      tool_choice: { type: 'custom', name: 'apply_patch' },
    },
    { type: 'custom_tool_call', name: 'apply_patch' },
    /^[a-c]{2}\/\d$/,
  ],
  [
    'one of the tools allowed',
    {
      tools: [...tools, { ...patch, name: 'note', format: regex }],
      tool_choice: {
        type: 'allowed_tools',
        mode: 'required',
        tools: [search, { type: 'custom', name: 'note' }],
      },
    },
    { type: 'custom_tool_call', name: 'note' },
    /^[a-c]{2}\/\d$/,
  ],
];
for (const [what, body, expected, pattern] of forced) {
  test(`the model can be made to call ${what}`, async () => {
    const [call, ...others] = await callsOf(running.url, { input, ...body, max_output_tokens: 60 });
    const { status: _, arguments: text, input: written, ...rest } = call ?? { type: '' };
    assert.deepEqual([rest, others], [expected, []]);
    assert.match(text ?? written ?? 'none', pattern);
  });
}

test('with functions and a custom tool that has a grammar, a call of either is valid', async () => {
  const tools = [camera, { ...patch, format: regex }];
  const asked = { input, tools, tool_choice: 'required', max_output_tokens: 100 };
  const [call] = await callsOf(running.url, asked);
  if (call?.type === 'custom_tool_call') assert.match(call.input ?? '', /^[a-c]{2}\/\d$/);
  else assert.match(call?.arguments ?? '', /^\{"which": "(left|right)"\}$/);
});

test('an invalid grammar that has to be enforced is refused with the path of its tool', async () => {
  const broken = { ...patch, format: { ...lark, definition: 'start: (' } };
  const body = { input, tools: [camera, broken], tool_choice: 'required' };
  const answer = await postTo(running.url, '/v1/responses', body);
  assert.deepEqual([answer.status, answer.body.error.param], [400, 'tools.1']);
});

test('a tool_choice that names a missing tool is refused', async () => {
  for (const name of ['snap', 'apply_patch']) {
    const tool_choice = { type: name === 'snap' ? 'custom' : 'function', name };
    const answer = await postTo(running.url, '/v1/responses', { input, tools, tool_choice });
    assert.deepEqual([answer.status, answer.body.error.param], [400, 'tool_choice'], name);
  }
});

test('more than 1,024 tools are refused, even in several namespaces', async () => {
  const group = (name: number, size: number) => ({
    type: 'namespace',
    name: `n${name}`,
    tools: Array.from({ length: size }, (_, at) => ({ type: 'custom', name: `t${at}` })),
  });
  const many = [...Array(8).keys()].map((name) => group(name, 128));
  const body = { input, tools: [...many, group(8, 1)] };
  const { status, body: answer } = await postTo(running.url, '/v1/responses', body);
  assert.deepEqual([status, answer.error.param], [400, 'tools']);
});

test('tools and tool_choice are echoed unchanged', async () => {
  const tool_choice = { type: 'custom', name: 'apply_patch' };
  const sent = [camera, { ...patch, format: lark, defer_loading: false }, search, own];
  const { body } = await postTo(running.url, '/v1/responses', {
    ...{ input, tool_choice, tools: sent, max_output_tokens: 5 },
  });
  assert.deepEqual([body.tools, body.tool_choice], [sent, tool_choice]);
});

test('only tools that run elsewhere are left out, and reported', async () => {
  const { headers } = await postTo(running.url, '/v1/responses', { input, tools });
  assert.equal(headers.get('x-sightglass-ignored'), 'tools.5');
});

test('a conversation continues after calls of custom and namespaced tools, with their pictures', async () => {
  const output = [
    { type: 'input_text', text: 'Done.' },
    { type: 'input_image', image_url: image },
  ];
  const history = [
    ...input,
    { ...snapped, namespace: 'mcp__camera', id: 'fc_1', call_id: 'call_1' },
    { type: 'function_call_output', call_id: 'call_1', output },
    { ...patched, id: 'ctc_1', call_id: 'call_2' },
    { type: 'custom_tool_call_output', call_id: 'call_2', output },
  ];
  const first = await postTo(running.url, '/v1/responses', { input: history, tools });
  assert.equal(first.status, 200, JSON.stringify(first.body));
  assert.equal(first.body.output[0].content[0].text, 'A red circle on a white background.');
  const next = await postTo(running.url, '/v1/responses', {
    previous_response_id: first.body.id,
    input: 'And now?',
  });
  assert.equal(next.status, 200, JSON.stringify(next.body));
  const items = await fetch(`${running.url}/v1/responses/${first.body.id}/input_items`);
  const { data } = (await items.json()) as { data: Item[] };
  assert.deepEqual(
    data.map(({ type }) => type),
    history.map(({ type }) => type),
  );
});

test('chat completions support custom tools, streamed or not, and in the history', async () => {
  const named = { type: 'custom' as const, custom: { name: 'note' } };
  const body = { ...chat, tool_choice: named };
  const whole = await openai.chat.completions.create(body);
  assert.deepEqual(schemaErrors('CreateChatCompletionResponse', whole), []);
  const [choice] = whole.choices;
  const [call] = choice?.message.tool_calls ?? [];
  assert.ok(call?.type === 'custom');
  assert.equal(choice?.finish_reason, 'tool_calls');
  assert.match(call.custom.input, /^[a-c]{2}\/\d$/);

  let text = '';
  const heads: unknown[] = [];
  for await (const { choices } of await openai.chat.completions.create({ ...body, stream: true })) {
    // The client's types have no custom calls in a stream.
    const deltas = (choices[0]?.delta.tool_calls ?? []) as unknown as Item[];
    for (const { id, type, custom } of deltas as (Item & { custom: Item })[]) {
      text += custom.input ?? '';
      if (id !== undefined) heads.push([type, custom.name]);
    }
  }
  assert.deepEqual([text, heads], [call.custom.input, [['custom', 'note']]]);

  const next = await openai.chat.completions.create({
    ...chat,
    messages: [
      ...chat.messages,
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', tool_call_id: call.id, content: 'Done.' },
      ...chat.messages,
    ],
  });
  assert.equal(next.choices[0]?.finish_reason, 'stop');
});
