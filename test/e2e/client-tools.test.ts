import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { eventsOf, postTo } from '../support/api.ts';
import { schemaErrors } from '../support/openapi/validate.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { type ScriptedService, startScriptedService } from '../support/scripted-service.ts';
import { type RunningService, startService } from '../support/service.ts';

/*
 * Custom tools and namespaces run at the client: the model is offered functions, and a call comes
 * back in the form in which the tool was sent.
 */

/** The demo model, for calls that a grammar forces. */
let running: RunningService;
/** A model that says what a test tells it to. */
let scripted: ScriptedService;
let openai: OpenAI;
const image = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
before(async () => {
  [running, scripted] = await Promise.all([startService(), startScriptedService('lfm2-vl')]);
  openai = new OpenAI({ baseURL: `${running.url}/v1`, apiKey: 'none', maxRetries: 0 });
});
after(async () => {
  await Promise.all([running.stop(), scripted.stop()]);
});

const parameters = {
  type: 'object',
  properties: { which: { enum: ['left', 'right'] } },
  required: ['which'],
};
const snap = { type: 'function', name: 'snap', parameters };
const camera = { type: 'namespace', name: 'mcp__camera', description: 'A camera.', tools: [snap] };
const phone = { type: 'namespace', name: 'mcp__phone', description: 'A phone.', tools: [snap] };
const patch = { type: 'custom', name: 'apply_patch', description: 'Changes files.' };
const lines = 'start: "*** Begin" LINE+ "*** End"\nLINE: /[a-c]{1,3}\\n/';
const lark = { type: 'grammar', syntax: 'lark', definition: lines };
const regex = { type: 'grammar', syntax: 'regex', definition: '[a-c]{2}/\\d' };
const own = { type: 'namespace', name: 'functions', tools: [{ ...patch, name: 'exec' }] };
const search = { type: 'web_search' };
const tools = [
  { type: 'function', name: 'run', parameters: {} },
  camera,
  phone,
  patch,
  own,
  search,
];

const input = [
  { type: 'message', role: 'user', content: [{ type: 'input_image', image_url: image }] },
];
/** The input that makes the scripted model write these calls. */
async function calling(...calls: string[]) {
  const text = await scripted.saying(`<|tool_call_start|>[${calls.join(', ')}]<|tool_call_end|>`);
  const content = [
    { type: 'input_image', image_url: image },
    { type: 'input_text', text },
  ];
  return [{ type: 'message', role: 'user', content }] as const;
}

interface Item {
  type: string;
  namespace?: string;
  name?: string;
  arguments?: string;
  input?: string;
  [field: string]: unknown;
}

/** The calls of a response, whole and streamed, which have to be the same. */
async function callsOf(body: object, { url }: { url: string } = scripted): Promise<Item[]> {
  const { status, body: whole } = await postTo(url, '/v1/responses', body);
  assert.equal(status, 200, JSON.stringify(whole));
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

const status = 'completed';
const snapped = { type: 'function_call', status, name: 'snap', arguments: '{"which": "left"}' };
const patched = { type: 'custom_tool_call', status, name: 'apply_patch', input: 'one, (two) ü 😀' };
const calls: [what: string, says: string, expected: object][] = [
  ['of a namespace', "mcp__camera__snap(which='left')", { ...snapped, namespace: 'mcp__camera' }],
  [
    'of another with that name',
    "mcp__phone__snap(which='left')",
    { ...snapped, namespace: 'mcp__phone' },
  ],
  ['of a custom tool', "apply_patch(input='one, (two) ü 😀')", patched],
  [
    'of a custom tool of the namespace `functions`',
    "exec(input='ls')",
    { ...patched, name: 'exec', namespace: 'functions', input: 'ls' },
  ],
  ['of a plain function', 'run()', { type: 'function_call', status, name: 'run', arguments: '{}' }],
];
for (const [what, says, expected] of calls) {
  test(`a call ${what} comes back as the tool was sent`, async () => {
    assert.deepEqual(await callsOf({ tools, input: await calling(says) }), [expected]);
  });
}

test('two calls of custom tools are two items', async () => {
  const asked = { tools, input: await calling("apply_patch(input='a')", "exec(input='b')") };
  const inputs = (await callsOf(asked)).map((call) => call.input);
  assert.deepEqual(inputs, ['a', 'b']);
});

test('tools of an item additional_tools are offered like those of `tools`', async () => {
  const item = { type: 'additional_tools', role: 'developer', tools: [camera, own] };
  const says = await calling("mcp__camera__snap(which='left')");
  assert.deepEqual(await callsOf({ input: [item, ...says] }), [
    { ...snapped, namespace: 'mcp__camera' },
  ]);
});

test('the input of a custom tool is streamed as text, with OpenAI’s events', async () => {
  const body = { input: await calling("apply_patch(input='one two')"), tools };
  const events = await eventsOf(scripted.url, '/v1/responses', { ...body, stream: true });
  const data = events.map((event) => event.data);
  const about = (type: string) => data.filter((event) => event.type === type);
  const deltas = about('response.custom_tool_call_input.delta');
  assert.equal(deltas.map(({ delta }) => delta).join(''), 'one two');
  const added = about('response.output_item.added').at(-1);
  const [done] = about('response.custom_tool_call_input.done');
  assert.deepEqual([done.input, done.item_id], ['one two', added.item.id]);
  for (const event of [...deltas, done, added, ...about('response.output_item.done')]) {
    assert.deepEqual(schemaErrors('ResponseStreamEvent', event), [], event.type);
  }
});

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
    const [call, ...others] = await callsOf({ input, ...body, max_output_tokens: 60 }, running);
    const { status: _, arguments: text, input: written, ...rest } = call ?? { type: '' };
    assert.deepEqual([rest, others], [expected, []]);
    assert.match(text ?? written ?? 'none', pattern);
  });
}

test('where functions and a custom tool with a grammar may be called, either is whole', async () => {
  const tools = [camera, { ...patch, format: regex }];
  const asked = { input, tools, tool_choice: 'required', max_output_tokens: 100 };
  const [call] = await callsOf(asked, running);
  if (call?.type === 'custom_tool_call') assert.match(call.input ?? '', /^[a-c]{2}\/\d$/);
  else assert.match(call?.arguments ?? '', /^\{"which": "(left|right)"\}$/);
});

test('a grammar that cannot be read is refused by the tool when it is to be enforced', async () => {
  const broken = { ...patch, format: { ...lark, definition: 'start: (' } };
  const body = { input, tools: [camera, broken], tool_choice: 'required' };
  const answer = await postTo(running.url, '/v1/responses', body);
  assert.deepEqual([answer.status, answer.body.error.param], [400, 'tools.1']);
});

test('a choice of a tool that is not there is refused', async () => {
  for (const name of ['snap', 'apply_patch']) {
    const tool_choice = { type: name === 'snap' ? 'custom' : 'function', name };
    const answer = await postTo(running.url, '/v1/responses', { input, tools, tool_choice });
    assert.deepEqual([answer.status, answer.body.error.param], [400, 'tool_choice'], name);
  }
});

test('1,024 tools are offered in all, however they are grouped', async () => {
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

test('tools and tool_choice are repeated as they came', async () => {
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

test('a conversation goes on after calls of the client’s own tools, with their pictures', async () => {
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
const chat = {
  model: 'demo',
  messages: [
    {
      role: 'user' as const,
      content: [{ type: 'image_url' as const, image_url: { url: image } }],
    },
  ],
  tools: chatTools,
};

test('chat completions have custom tools too, whole, streamed and in the history', async () => {
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

test('a custom call that the model makes of its own accord has its text as input', async () => {
  const [{ content }] = await calling("note(input='two words')");
  const text = content.find((part) => part.type === 'input_text')?.text ?? '';
  const { body: completion } = await postTo(scripted.url, '/v1/chat/completions', {
    ...chat,
    messages: [{ role: 'user', content: text }],
  });
  const [call] = completion.choices[0]?.message.tool_calls ?? [];
  assert.deepEqual(call?.type === 'custom' ? call.custom : call, {
    name: 'note',
    input: 'two words',
  });
});
