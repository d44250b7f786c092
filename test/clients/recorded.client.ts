import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { answer, image, png, question, useService } from './fixture.ts';

/*
 * Request bodies of apps that cannot run here: the fields and their values are theirs, the texts are ours.
 * The bodies in `agents.jsonl` were recorded between agents and a server.
 */

const asPart = { type: 'image_url', image_url: { url: image } };
const run = {
  name: 'run',
  description: 'Runs a command.',
  parameters: {
    type: 'object',
    properties: { cmd: { type: 'string' } },
    required: ['cmd'],
    additionalProperties: false,
  },
};
const input = [
  {
    type: 'message',
    role: 'user',
    content: [
      { type: 'input_text', text: question },
      { type: 'input_image', image_url: image, detail: 'high' },
    ],
  },
];
const namespace = {
  type: 'namespace',
  name: 'mcp__camera',
  description: 'A camera.',
  tools: [
    {
      type: 'function',
      name: 'snap',
      description: 'Takes a picture.',
      strict: false,
      parameters: {
        type: 'object',
        properties: { which: { type: 'string', enum: ['left', 'right'] } },
        required: ['which'],
        additionalProperties: false,
      },
    },
  ],
};
const custom = {
  type: 'custom',
  name: 'apply_patch',
  description: 'Changes files.',
  format: { type: 'grammar', syntax: 'lark', definition: 'start: LINE+\nLINE: /[^\\n]+\\n/' },
};
/** The fields that Codex sends with every request. */
const codex = {
  model: 'gpt-5.5-codex',
  instructions: 'Be brief.',
  tool_choice: 'auto',
  parallel_tool_calls: false,
  reasoning: { effort: 'low', summary: 'auto' },
  text: { verbosity: 'low' },
  store: false,
  include: ['reasoning.encrypted_content'],
  prompt_cache_key: 'session',
  client_metadata: { session_id: 'session', originator: 'codex_cli' },
  max_output_tokens: 60,
};
const claudeCode = {
  model: 'claude-sonnet',
  max_tokens: 60,
  temperature: 1,
  system: [
    { type: 'text', text: 'You are Claude Code.', cache_control: { type: 'ephemeral' } },
    { type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral', ttl: '1h' } },
  ],
  tools: [
    {
      name: 'Read',
      description: 'Reads a file.',
      input_schema: {
        $schema: 'https://json-schema.org/draft/2020-12/schema',
        type: 'object',
        properties: { file_path: { type: 'string' }, offset: { type: 'integer', minimum: 0 } },
        required: ['file_path'],
        additionalProperties: false,
      },
    },
  ],
  metadata: { user_id: 'user_0_session_0' },
  context_management: { edits: [{ type: 'clear_thinking_20251015', keep: 'all' }] },
  mcp_servers: [],
  messages: [
    {
      role: 'user',
      content: [
        { type: 'text', text: '<system-reminder>Today is Friday.</system-reminder>' },
        {
          type: 'image',
          source: { type: 'base64', media_type: 'image/png', data: png.toString('base64') },
        },
        { type: 'text', text: question, cache_control: { type: 'ephemeral' } },
      ],
    },
  ],
};
const toolTurn = [
  {
    role: 'assistant',
    content: [
      {
        type: 'tool_use',
        id: 'toolu_1',
        name: 'Read',
        input: { file_path: 'heart.png' },
        caller: { type: 'direct' },
      },
    ],
  },
  {
    role: 'user',
    content: [
      {
        type: 'tool_result',
        tool_use_id: 'toolu_1',
        is_error: false,
        content: claudeCode.messages[0]?.content.slice(1, 2),
        cache_control: { type: 'ephemeral' },
      },
    ],
  },
];

const chat = '/v1/chat/completions';
const responses = '/v1/responses';
const messages = '/v1/messages';
const endOfStream: Record<string, RegExp> = {
  [chat]: /data: \[DONE\]/,
  [responses]: /event: response\.(completed|incomplete)/,
  [messages]: /event: message_stop/,
};
const bodies: [app: string, path: string, body: object][] = [
  [
    'Apple’s ChatCompletionsLanguageModel, greedy',
    chat,
    {
      model: 'local',
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: [{ type: 'text', text: question }, asPart] },
      ],
      temperature: 0,
      top_p: 0,
      max_completion_tokens: 60,
    },
  ],
  [
    'Apple’s ChatCompletionsLanguageModel, with tools',
    chat,
    {
      model: 'local',
      messages: [{ role: 'user', content: [{ type: 'text', text: question }, asPart] }],
      tools: [{ type: 'function', function: run }],
      tool_choice: 'auto',
      top_p: 0,
      seed: -7,
    },
  ],
  [
    'Codex, a named model',
    responses,
    { ...codex, input, tools: [{ type: 'function', strict: false, ...run }] },
  ],
  [
    'Codex, MCP servers and apply_patch',
    responses,
    { ...codex, input, tools: [{ type: 'function', ...run }, namespace, custom] },
  ],
  [
    'Codex, its default model',
    responses,
    {
      ...codex,
      input: [
        { type: 'additional_tools', role: 'developer', tools: [namespace, custom] },
        ...input,
      ],
    },
  ],
  [
    'Codex, the turn after a custom tool call',
    responses,
    {
      ...codex,
      tools: [{ type: 'function', ...run }, custom],
      input: [
        ...input,
        {
          type: 'custom_tool_call',
          id: 'ctc_1',
          status: 'completed',
          call_id: 'call_1',
          name: 'apply_patch',
          input: '*** Begin Patch',
        },
        {
          type: 'custom_tool_call_output',
          id: 'ctco_1',
          call_id: 'call_1',
          output: [{ type: 'input_text', text: 'Done.' }],
        },
        ...input,
      ],
    },
  ],
  ['Claude Code', messages, claudeCode],
  [
    'Claude Code, the turn after a tool showed a picture',
    messages,
    { ...claudeCode, messages: [...claudeCode.messages, ...toolTurn] },
  ],
];

interface Recorded {
  name: string;
  from: string;
  path: string;
  body: object;
  status: number;
  /** The expected call in the answer, without its arguments. */
  call?: Record<string, string>;
}
const recorded = readFileSync(new URL('agents.jsonl', import.meta.url), 'utf8')
  .replaceAll('{{image}}', image)
  .replaceAll('{{png}}', png.toString('base64'))
  .trim()
  .split('\n')
  .map((line): Recorded => JSON.parse(line));

const service = useService();

function post(path: string, body: object): Promise<Response> {
  const headers = {
    'content-type': 'application/json',
    ...(path.startsWith(messages) && {
      'anthropic-version': '2023-06-01',
      'anthropic-beta': 'context-management-2025-06-27,interleaved-thinking-2025-05-14',
    }),
  };
  return fetch(service.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
}

for (const [app, path, body] of bodies) {
  test(`${app}: the request is answered, with and without streaming`, async () => {
    const complete = await post(path, body);
    const text = await complete.text();
    assert.equal(complete.status, 200, text);
    const streamed = await post(path, { ...body, stream: true });
    assert.equal(streamed.status, 200);
    assert.match(await streamed.text(), endOfStream[path] ?? /never/);
  });
}

for (const { name, from, path, body, status, call } of recorded) {
  test(`${from}, ${name}: the status is ${status}, with and without streaming`, async () => {
    const complete = await post(path, body);
    const text = await complete.text();
    assert.equal(complete.status, status, text);
    const streamed = await post(path, { ...body, stream: true });
    const events = await streamed.text();
    assert.equal(streamed.status, status, events);
    if (status !== 200) return;
    assert.match(events, endOfStream[path] ?? /never/);
    if (call === undefined) return;
    const { output } = JSON.parse(text) as { output: Record<string, string>[] };
    const { type, namespace, name } = output.at(-1) ?? {};
    assert.deepEqual({ type, ...(namespace && { namespace }), name }, call);
  });
}

test('a greedy request from Apple’s client gets the expected answer', async () => {
  const [, path = '', body = {}] = bodies[0] ?? [];
  const { choices } = (await (await post(path, body)).json()) as {
    choices: { message: { content: string } }[];
  };
  assert.equal(choices[0]?.message.content, answer);
});

test('a forced call of a tool in a namespace has the namespace and the name in separate fields', async () => {
  const response = await post(responses, {
    ...codex,
    input,
    tools: [namespace],
    tool_choice: 'required',
  });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  const { output } = JSON.parse(text) as { output: Record<string, unknown>[] };
  const call = output.find(({ type }) => type === 'function_call');
  assert.deepEqual([call?.['namespace'], call?.['name']], ['mcp__camera', 'snap']);
});

test('Claude Code can count the tokens of a request, with and without a picture', async () => {
  const { max_tokens: _, temperature: __, ...counted } = claudeCode;
  for (const turns of [claudeCode.messages, [{ role: 'user', content: 'foo' }]]) {
    const response = await post(`${messages}/count_tokens`, { ...counted, messages: turns });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    assert.ok((JSON.parse(text) as { input_tokens: number }).input_tokens > 0);
  }
});
