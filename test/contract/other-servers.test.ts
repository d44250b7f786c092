import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { compatibilityOf } from '../../scripts/compatibility-table.ts';
import { ChatCompletionRequest } from '../../server/apis/chat/request.ts';
import { MessagesRequest } from '../../server/apis/messages/request.ts';
import { ResponsesRequest } from '../../server/apis/responses/request.ts';

import type { Settings } from '../../server/settings.ts';
import { postTo } from '../support/api.ts';
import { startStubService } from '../support/service.ts';

// Fields that vLLM, SGLang, llama.cpp, LM Studio, Ollama and OpenRouter document, on all three APIs. A
// stub runtime shows what reaches mlx_vlm.

const content = 'Hello';
const apis = {
  chat: { path: '/v1/chat/completions', body: { messages: [{ role: 'user', content }] } },
  responses: { path: '/v1/responses', body: { input: content } },
  messages: {
    path: '/v1/messages',
    body: { messages: [{ role: 'user', content }], max_tokens: 100 },
  },
};
type Api = keyof typeof apis;
const names = Object.keys(apis) as Api[];

async function start(t: TestContext, overrides: Partial<Settings> = {}) {
  const running = await startStubService(t, overrides, (stub) =>
    stub.ready({
      template_names: ['messages', 'range', 'add_vision_id', 'enable_thinking', 'style'],
    }),
  );
  const stub = await running.stubs.at(0);
  await running.service.runtime.ensureReady(AbortSignal.timeout(10_000));
  let seen = 0;
  return {
    ...running,
    /** Posts the fields and answers; gives what the runtime was sent, unless it was refused. */
    async ask(api: Api, fields: object | string) {
      const { path, body } = apis[api];
      const text = typeof fields === 'string' ? fields : JSON.stringify({ ...body, ...fields });
      const headers = { 'content-type': 'application/json' };
      const pending = fetch(running.url + path, { method: 'POST', headers, body: text });
      const sent = stub.requests.at(seen);
      const first = await Promise.race([pending, sent]);
      if (!(first instanceof Response)) {
        seen += 1;
        stub.answer(first.id, 'Hi');
      }
      const response = await pending;
      return {
        status: response.status,
        ignored: response.headers.get('x-sightglass-ignored'),
        // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever the server said
        answer: JSON.parse(await response.text()) as any,
        runtime: first instanceof Response ? undefined : first.body,
      };
    },
  };
}

/** What mlx_vlm gets of every request. */
const ALWAYS = [
  'model',
  'stream',
  'stream_options',
  'context_management',
  'messages',
  'seed',
  'max_tokens',
];

/** Each becomes these parameters of the runtime. */
const honoured: [fields: Record<string, unknown>, runtime: Record<string, unknown>][] = [
  [{ repeat_penalty: 1.1 }, { repetition_penalty: 1.1 }],
  [{ repetition_penalty: 1.1 }, { repetition_penalty: 1.1 }],
  [{ repeat_last_n: 32 }, { repetition_context_size: 32 }],
  [{ repeat_last_n: -1 }, { repetition_context_size: 1_000_000 }],
  [{ top_k: -1 }, { top_k: 0 }],
  [{ min_p: 0.1 }, { min_p: 0.1 }],
  [{ typical_p: 0.9 }, { typical_p: 0.9 }],
  [{ top_p: 0 }, { temperature: 0 }],
  [{ presence_penalty: 1 }, { presence_penalty: 1 }],
  [{ frequency_penalty: 1 }, { frequency_penalty: 1 }],
  [{ logit_bias: { 5: 1 } }, { logit_bias: { 5: 1 } }],
  [{ reasoning_effort: 'low' }, { reasoning_effort: 'low' }],
  [{ reasoning: { effort: 'low' } }, { reasoning_effort: 'low' }],
  [{ reasoning: { enabled: true, max_tokens: 9 } }, { enable_thinking: true, thinking_budget: 9 }],
  [{ thinking: { type: 'disabled' } }, { enable_thinking: false }],
  [
    { thinking: { type: 'enabled', budget_tokens: 9 } },
    { enable_thinking: true, thinking_budget: 9 },
  ],
  [{ think: false }, { enable_thinking: false }],
  [{ think: 'high' }, { reasoning_effort: 'high' }],
  [{ thinking_budget_tokens: 9 }, { thinking_budget: 9 }],
  [{ thinking_token_budget: 9 }, { thinking_budget: 9 }],
  [{ enable_thinking: false }, { enable_thinking: false }],
  [{ chat_template_kwargs: { enable_thinking: false } }, { enable_thinking: false }],
  [
    { chat_template_kwargs: { add_vision_id: true } },
    { sightglass_template_kwargs: { add_vision_id: true } },
  ],
  ...structuredOutputs(),
  [{ stop: [] }, {}],
  [{ stop_sequences: ['a', 'b', 'c', 'd', 'e'] }, {}],
];

/** What other servers call `response_format`, and what the runtime is to hold the answer to. */
function structuredOutputs(): [Record<string, unknown>, Record<string, unknown>][] {
  const schema = { type: 'object', properties: { a: { type: 'boolean' } }, required: ['a'] };
  const closed = { ...schema, additionalProperties: false, $defs: {} };
  const held = (to: object) => ({
    response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: to } },
  });
  const grammar = (kind: string, text: string) => held({ 'x-sightglass-grammar': [kind, text] });
  const rule = 'root ::= "a"';
  return [
    [{ guided_json: schema }, held(closed)],
    [{ guided_json: JSON.stringify(schema) }, held(closed)],
    [{ structured_outputs: { json: schema } }, held(closed)],
    [{ json_schema: schema }, held(closed)],
    [{ format: schema }, held(closed)],
    [{ format: 'json' }, { response_format: { type: 'json_object' } }],
    [{ structured_outputs: { json_object: true } }, { response_format: { type: 'json_object' } }],
    [{ guided_regex: 'a+' }, grammar('regex', 'a+')],
    [{ structured_outputs: { regex: 'a+' } }, grammar('regex', 'a+')],
    [{ guided_choice: ['a', 'b'] }, grammar('choice', '["a","b"]')],
    [{ structured_outputs: { choice: ['a'] } }, grammar('choice', '["a"]')],
    [{ guided_grammar: rule }, grammar('grammar', rule)],
    [{ grammar: rule }, grammar('grammar', rule)],
    [{ grammar: '' }, {}],
    [{ guided_regex: '', guided_grammar: '', structured_outputs: { regex: '' } }, {}],
  ];
}

/** Ignored whatever the value. */
const hints: Record<string, unknown> = {
  ...{ verbosity: 'low', keep_alive: '5m', ttl: 60, options: { num_ctx: 1 }, num_ctx: 8192 },
  ...{ context_length: 1, num_keep: 1, n_keep: 1, transforms: ['middle-out'], truncate: true },
  ...{ num_gpu: 1, num_thread: 1, num_batch: 1, cache_prompt: true, cache_salt: 'a' },
  ...{ n_cache_reuse: 1, id_slot: 0, slot_id: 0, priority: 1, draft_model: 'd' },
  ...{ t_max_predict_ms: 1, top_a: 0.1, tfs_z: 1, mirostat: 2, mirostat_tau: 5, mirostat_eta: 1 },
  ...{ dynatemp_range: 1, dynatemp_exponent: 1, xtc_probability: 1, xtc_threshold: 1 },
  ...{ dry_multiplier: 1, dry_base: 1, dry_allowed_length: 1, dry_penalty_last_n: 1 },
  ...{ dry_sequence_breakers: ['a'], samplers: ['top_k'], min_keep: 1, length_penalty: 2 },
  ...{ early_stopping: true, n_probs: 1, timings_per_token: true, return_progress: true },
  ...{ return_token_ids: true, return_tokens_as_token_ids: true, include_reasoning: false },
  ...{ separate_reasoning: true, reasoning_format: 'none', parse_tool_calls: true },
  ...{ skip_special_tokens: false, spaces_between_special_tokens: true, add_special_tokens: true },
  ...{ mm_processor_kwargs: { a: 1 }, usage: { include: true }, provider: { order: ['a'] } },
  ...{
    models: ['a'],
    route: 'fallback',
    preset: 'p',
    request_id: 'r',
    client_metadata: { a: 'b' },
  },
  ...{ context_management: { edits: [] } },
};

const refused: Record<string, unknown> = {
  ...{ echo: true, ignore_eos: true, min_tokens: 5, use_beam_search: true, best_of: 3 },
  ...{ stop_token_ids: [1], bad_words: ['a'], allowed_token_ids: [1], prompt_logprobs: 1 },
  ...{ include_stop_str_in_output: true, truncate_prompt_tokens: 5 },
  ...{ chat_template: 'x', template: 'x', raw: true },
  ...{ documents: [{ text: 'a' }], adapter_path: '/a', adapters: ['a'], lora: [{ id: 0 }] },
  ...{ logits_processors: ['a'], prompt_embeds: 'AAAA' },
};

const limits: [fields: Record<string, unknown>, maxTokens: number][] = [
  [{ num_predict: 7 }, 7],
  [{ n_predict: 7 }, 7],
  [{ max_output_tokens: 7 }, 7],
  [{ max_completion_tokens: 7 }, 7],
  [{ max_tokens: -1 }, 4096],
  [{ max_tokens: 2 ** 31 - 1 }, 4096],
  [{ num_predict: -2 }, 4096],
  [{}, 4096],
];

test('other spellings reach the runtime as its own parameters', async (t) => {
  const { ask } = await start(t);
  for (const api of names) {
    for (const [fields, expected] of honoured) {
      const { status, ignored, runtime = {} } = await ask(api, fields);
      const extra = Object.entries(runtime).filter(([name]) => !ALWAYS.includes(name));
      const label = `${api} ${JSON.stringify(fields)}`;
      assert.deepEqual([label, status, ignored], [label, 200, null]);
      assert.deepEqual([label, Object.fromEntries(extra)], [label, expected]);
    }
  }
});

test('every spelling of the limit is honoured, and none means the rest of the context', async (t) => {
  const { ask } = await start(t);
  for (const api of names) {
    for (const [fields, expected] of limits) {
      if (api === 'messages' && !('max_tokens' in fields)) continue; // it has its own
      const { runtime } = await ask(api, fields);
      assert.equal(runtime?.['max_tokens'], expected, `${api} ${JSON.stringify(fields)}`);
    }
  }
});

test('--max-answer-tokens caps every answer', async (t) => {
  const { ask } = await start(t, { maxAnswerTokens: 50 });
  for (const api of names) {
    for (const fields of [{}, { max_tokens: -1 }, { max_tokens: 1000 }]) {
      assert.equal((await ask(api, fields)).runtime?.['max_tokens'], 50);
    }
  }
  assert.equal((await ask('chat', { max_tokens: 3 })).runtime?.['max_tokens'], 3);
});

test('hints are ignored and reported, whatever their value, and never reach the runtime', async (t) => {
  const { ask } = await start(t);
  for (const api of names) {
    for (const [name, value] of Object.entries(hints)) {
      for (const given of [value, { un: ['expected'] }]) {
        const { status, ignored, runtime = {} } = await ask(api, { [name]: given });
        assert.deepEqual([api, status, ignored], [api, 200, name]);
        const extra = Object.keys(runtime).filter((field) => !ALWAYS.includes(field));
        assert.deepEqual(extra, [], name);
        assert.deepEqual(runtime['context_management'], []);
      }
    }
  }
});

test('what would change the answer is refused by name', async (t) => {
  const { ask } = await start(t);
  for (const api of names) {
    for (const [name, value] of Object.entries(refused)) {
      const { status, answer } = await ask(api, { [name]: value });
      assert.deepEqual([name, status], [name, 400]);
      assert.match(answer.error.message, new RegExp(`^\`${name}\` must be left out: `));
    }
  }
});

test('values that ask for nothing are accepted', async (t) => {
  const { ask } = await start(t);
  for (const fields of [
    ...[
      { echo: false },
      { ignore_eos: false },
      { min_tokens: 0 },
      { best_of: 1 },
      { bad_words: [] },
    ],
    ...[
      { documents: [] },
      { add_generation_prompt: true },
      { continue_final_message: false },
      { verbosity: 'medium' },
      { functions: [] },
    ],
    { chat_template: null },
  ]) {
    const { status, ignored } = await ask('chat', fields);
    assert.deepEqual([fields, status, ignored], [fields, 200, null]);
  }
  const { status, ignored } = await ask('messages', { mcp_servers: [] });
  assert.deepEqual([status, ignored], [200, 'mcp_servers']);
  assert.equal((await ask('messages', { mcp_servers: [{ url: 'x' }] })).status, 400);
});

test('the table in the code and this test name the same parameters', () => {
  const tested = (effects: readonly string[]) =>
    compatibilityOf(ChatCompletionRequest)
      .filter(([, { effect, test }]) => effects.includes(effect) && test.includes('other-servers'))
      .map(([name]) => name)
      .sort();
  assert.deepEqual(Object.keys(hints).sort(), tested(['ignored']));
  assert.deepEqual(Object.keys(refused).sort(), tested(['refused']));
});

test('unlisted fields are ignored at any depth and reported by path', async (t) => {
  const { ask } = await start(t);
  const tool = { name: 'look', parameters: { type: 'object' }, cost: 3 };
  const chat = await ask('chat', {
    messages: [
      { role: 'user', content: [{ type: 'text', text: 'Hi', lang: 'en' }], opts: { a: 1 } },
    ],
    tools: [{ type: 'function', function: tool }, { type: 'web_search' }],
    stream_options: { include_usage: true, fast: true },
    temprature: 1,
    nothing: null,
  });
  assert.equal(chat.status, 200);
  assert.equal(
    chat.ignored,
    'messages.0.content.0.lang, messages.0.opts, tools.0.function.cost, tools.1, ' +
      'stream_options.fast, temprature',
  );
  const sent = JSON.stringify(chat.runtime);
  for (const text of ['lang', 'opts', 'cost', 'web_search', 'fast', 'temprature']) {
    assert.ok(!sent.includes(text), text);
  }
});

test('Codex’s and Claude Code’s own fields and tools do not fail a request', async (t) => {
  const { ask } = await start(t);
  const codex = await ask('responses', {
    input: [
      { type: 'message', role: 'user', content: 'Hi', id: 'msg_1', status: 'completed' },
      { type: 'local_shell_call', call_id: 'c', action: { command: ['ls'] } },
    ],
    tools: [
      { type: 'namespace', name: 'n', tools: [{ type: 'web_search' }] },
      { type: 'web_search', external_web_access: true },
    ],
    include: ['reasoning.encrypted_content', 'file_search_call.results'],
    text: { verbosity: 'low' },
    truncation: 'auto',
    client_metadata: { a: 'b' },
  });
  assert.equal(codex.status, 200);
  assert.equal(
    codex.ignored,
    'input.1, tools.0.tools.0, tools.1, include.1, text.verbosity, client_metadata',
  );
  assert.equal(codex.runtime?.['tools'], undefined);
  const system = [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }];
  const claude = await ask('messages', {
    system,
    context_management: { edits: [] },
    tools: [
      { type: 'bash_20250124', name: 'bash', cache_control: { type: 'ephemeral' } },
      { type: 'text_editor_20250728', name: 'str_replace_based_edit_tool' },
      { type: 'memory_20250818', name: 'memory' },
      { type: 'web_search_20250305', name: 'web_search' },
      { type: 'computer_toolset_20260801' },
      {
        type: 'computer_20250124',
        name: 'computer',
        display_width_px: 1024,
        display_height_px: 768,
      },
    ],
  });
  assert.deepEqual(
    [claude.status, claude.ignored],
    [200, 'context_management, tools.3, tools.4'],
    JSON.stringify(claude.answer),
  );
  const offered = claude.runtime?.['tools'] as { function: { name: string; parameters: object } }[];
  assert.deepEqual(
    offered.map((tool) => [tool.function.name, Object.keys(tool.function.parameters)]),
    ['bash', 'str_replace_based_edit_tool', 'memory', 'computer'].map((name) => [
      name,
      ['type', 'properties', 'required', 'additionalProperties'],
    ]),
  );
  const forced = { tools: [{ type: 'web_search' }], tool_choice: { type: 'web_search' } };
  const { status, answer } = await ask('responses', forced);
  assert.deepEqual([status, answer.error.param.split('.')[0]], [400, 'tool_choice']);
});

test('fields with names that every JavaScript object has are ignored and reported', async (t) => {
  const { ask } = await start(t);
  const names = ['constructor', 'toString', 'hasOwnProperty'];
  const fields = Object.fromEntries(names.map((name) => [name, 'x']));
  for (const api of ['chat', 'responses', 'messages'] as const) {
    const { status, ignored } = await ask(api, { ...fields, chat_template_kwargs: fields });
    const paths = [...names, ...names.map((name) => `chat_template_kwargs.${name}`)];
    assert.deepEqual([status, ignored?.split(', ')], [200, paths]);
  }
});

test('an input that asks for compaction is refused by its item', async (t) => {
  const { ask } = await start(t);
  const input = [{ role: 'user', content: 'Hi' }, { type: 'compaction_trigger' }];
  const { status, answer } = await ask('responses', { input });
  assert.deepEqual(
    [status, answer.error.param, answer.error.code],
    [400, 'input.1', 'compaction_not_supported'],
  );
});

test('the conversation cannot be replaced through chat_template_kwargs', async (t) => {
  const { ask } = await start(t);
  const kwargs = {
    ...{ chat_template: 'x', messages: 'x', tools: 'x', add_generation_prompt: false },
    ...{
      return_dict: true,
      tokenizer_kwargs: 'x',
      bos_token: 'x',
      range: 1,
      style: { deep: 1 },
      unused: 1,
    },
  };
  const { status, ignored, runtime } = await ask('chat', { chat_template_kwargs: kwargs });
  assert.equal(status, 200);
  const paths = Object.keys(kwargs).map((name) => `chat_template_kwargs.${name}`);
  assert.deepEqual(ignored?.split(', '), paths);
  assert.equal(runtime?.['sightglass_template_kwargs'], undefined);
  const wrong = await ask('chat', { chat_template_kwargs: 'x' });
  assert.deepEqual([wrong.status, wrong.answer.error.param], [400, 'chat_template_kwargs']);
});

test('no name of a field breaks the response or its header', async (t) => {
  const { ask, service } = await start(t);
  for (const [name, expected] of [
    ['a\r\nset-cookie: b=c', 'a%0D%0Aset-cookie%3A%20b%3Dc'],
    ['日本', '%E6%97%A5%E6%9C%AC'],
    ['a.b, c', 'a%2Eb%2C%20c'],
    ['x'.repeat(1e6), `${'x'.repeat(200)}...`],
  ] as const) {
    const { status, ignored } = await ask('chat', { [name]: 1 });
    assert.deepEqual([status, ignored], [200, expected]);
  }
  const many = Object.fromEntries(Array.from({ length: 3000 }, (_, at) => [`field_${at}`, at]));
  const { ignored = '' } = await ask('chat', many);
  assert.ok((ignored?.length ?? 0) <= 1024);
  const listed = ignored?.split(' +')[0]?.split(', ').length ?? 0;
  assert.ok(ignored?.endsWith(` +${3000 - listed} more`));
  assert.equal(service.activity.recent()[0]?.ignored?.length, 200);
});

test('streams and errors report ignored fields too', async (t) => {
  const { url, stubs } = await start(t);
  const send = (fields: object) =>
    fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...apis.chat.body, foo: 1, ...fields }),
    });
  const stub = await stubs.at(0);
  const streaming = send({ stream: true });
  stub.answer((await stub.requests.at(0)).id, 'Hi');
  const response = await streaming;
  assert.equal(response.headers.get('x-sightglass-ignored'), 'foo');
  await response.text();
  const failing = send({});
  stub.fail((await stub.requests.at(1)).id, 'it failed');
  const failed = await failing;
  assert.deepEqual([failed.status, failed.headers.get('x-sightglass-ignored')], [500, 'foo']);
});

test('--strict-parameters refuses what would be ignored, by its path', async (t) => {
  const { ask, url } = await start(t, { strictParameters: true });
  for (const [path, body] of [
    ['/v1/messages/count_tokens', { messages: [{ role: 'user', content }], foo: 1 }],
    ['/v1/responses/input_tokens', { input: content, foo: 1 }],
  ] as const) {
    const { status, body: answer } = await postTo(url, path, body);
    assert.deepEqual(
      [status, answer.error.message.split('.')[0]],
      [400, 'Unrecognized request argument supplied: foo'],
    );
  }
  for (const [fields, param] of [
    [{ foo: 1 }, 'foo'],
    [{ verbosity: 'low' }, 'verbosity'],
    [{ chat_template_kwargs: { unused: 1 } }, 'chat_template_kwargs.unused'],
  ] as const) {
    const { status, answer } = await ask('chat', fields);
    assert.deepEqual([status, answer.error.param], [400, param]);
    assert.match(answer.error.message, /^Unrecognized request argument supplied: /);
  }
  const { status } = await ask('chat', { user: 'me', store: false, prompt_cache_key: 'k' });
  assert.equal(status, 200);
});

test('extra slashes in a path do not matter', async (t) => {
  const { url } = await start(t);
  for (const path of ['//v1/models', '/v1//models', '/v1/models']) {
    assert.equal((await fetch(url + path)).status, 200, path);
  }
});

test('keywords of a schema that are not enforced are reported, and refused with strict', async (t) => {
  const { ask } = await start(t);
  const schema = (property: object) => ({
    type: 'object',
    properties: { a: { type: 'string', ...property } },
  });
  const parameters = schema({ not: { const: 'b' } });
  const tools = [{ type: 'function', function: { name: 'f', parameters } }];
  const asked = await ask('chat', { tools, guided_json: schema({ if: {}, format: 'unheard' }) });
  assert.deepEqual(
    [asked.status, asked.ignored?.split(', ').sort()],
    [
      200,
      [
        'guided_json.properties.a.format',
        'guided_json.properties.a.if',
        'tools.0.function.parameters.properties.a.not',
      ],
    ],
  );
  const strict = [{ type: 'function', function: { name: 'f', parameters, strict: true } }];
  const { status, answer } = await ask('chat', { tools: strict });
  assert.equal(status, 400);
  assert.match(answer.error.message, /properties\.a\.not/);
});

test('an empty conversation is refused in our words', async (t) => {
  const { ask } = await start(t);
  const { status, answer } = await ask('responses', { input: '', max_output_tokens: 1 });
  assert.deepEqual([status, answer.error.param, answer.error.code], [400, 'input', 'empty_input']);
});

test('a refused text-only request names the flag, and the hosts learn who sent it', async (t) => {
  const { ask, service } = await start(t, { allowTextOnly: false });
  const told: string[] = [];
  t.after(
    service.activity.onTextOnlyRefused(({ client, count }) => told.push(`${client} ${count}`)),
  );
  for (const _ of [1, 2]) {
    const { status, answer } = await ask('chat', {});
    assert.equal(status, 400);
    assert.match(
      answer.error.message,
      /--allow-text-only \(in the app: Answer without a picture\)/,
    );
  }
  assert.deepEqual(told, ['node 1', 'node 2']);
});

test('a listed parameter has the same outcome in all three APIs', () => {
  const own = new Set(['verbosity']);
  for (const schema of [ResponsesRequest, MessagesRequest]) {
    const listed = new Map(compatibilityOf(schema));
    for (const name of [...Object.keys(hints), ...Object.keys(refused)]) {
      if (!own.has(name)) assert.ok(listed.has(name), name);
    }
  }
});
