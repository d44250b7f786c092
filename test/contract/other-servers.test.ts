import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compatibilityOf } from '../../scripts/compatibility-table.ts';
import { ChatCompletionRequest } from '../../server/apis/chat/request.ts';
import { MessagesRequest } from '../../server/apis/messages/request.ts';
import { ResponsesRequest } from '../../server/apis/responses/request.ts';
// Fields that vLLM, SGLang, llama.cpp, LM Studio, Ollama and OpenRouter document, on all three APIs. A
// stub runtime shows what reaches mlx_vlm.
import { names, startReady } from '../support/minimal-requests.ts';

/** Sent to mlx_vlm with every request. */
const ALWAYS = [
  'model',
  'stream',
  'stream_options',
  'context_management',
  'messages',
  'seed',
  'max_tokens',
];

/** The runtime's parameters for each field. */
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

/** Other servers' names for `response_format`, and the constraint that the runtime receives. */
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

/** Ignored with any value. */
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
  const { ask } = await startReady(t);
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

test('every spelling of the limit is applied, and no limit means the rest of the context', async (t) => {
  const { ask } = await startReady(t);
  for (const api of names) {
    for (const [fields, expected] of limits) {
      if (api === 'messages' && !('max_tokens' in fields)) continue; // it has its own
      const { runtime } = await ask(api, fields);
      assert.equal(runtime?.['max_tokens'], expected, `${api} ${JSON.stringify(fields)}`);
    }
  }
});

test('--max-answer-tokens caps every answer', async (t) => {
  const { ask } = await startReady(t, { maxAnswerTokens: 50 });
  for (const api of names) {
    for (const fields of [{}, { max_tokens: -1 }, { max_tokens: 1000 }]) {
      assert.equal((await ask(api, fields)).runtime?.['max_tokens'], 50);
    }
  }
  assert.equal((await ask('chat', { max_tokens: 3 })).runtime?.['max_tokens'], 3);
});

test('hints are ignored and reported with any value, and never reach the runtime', async (t) => {
  const { ask } = await startReady(t);
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

test('parameters that would change the answer are refused by name', async (t) => {
  const { ask } = await startReady(t);
  for (const api of names) {
    for (const [name, value] of Object.entries(refused)) {
      const { status, answer } = await ask(api, { [name]: value });
      assert.deepEqual([name, status], [name, 400]);
      assert.match(answer.error.message, new RegExp(`^\`${name}\` must be left out: `));
    }
  }
});

test('values without effect are accepted', async (t) => {
  const { ask } = await startReady(t);
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

test('a listed parameter has the same outcome in all three APIs', () => {
  const own = new Set(['verbosity']);
  for (const schema of [ResponsesRequest, MessagesRequest]) {
    const listed = new Map(compatibilityOf(schema));
    for (const name of [...Object.keys(hints), ...Object.keys(refused)]) {
      if (!own.has(name)) assert.ok(listed.has(name), name);
    }
  }
});

const content = 'Hello';

/** A schema as Gemini's clients write it, whose data looks like types too. */
const upper = {
  type: 'OBJECT',
  properties: {
    type: { type: 'STRING', enum: ['OBJECT', 'STRING'] },
    list: { type: 'ARRAY', items: { type: ['INTEGER', 'NULL'] } },
    either: { anyOf: [{ type: 'BOOLEAN' }, { const: { type: 'NUMBER' } }] },
  },
  required: ['type'],
};
const lower = {
  type: 'object',
  properties: {
    type: { type: 'string', enum: ['OBJECT', 'STRING'] },
    list: { type: 'array', items: { type: ['integer', 'null'] } },
    either: { anyOf: [{ type: 'boolean' }, { const: { type: 'NUMBER' } }] },
  },
  required: ['type'],
};

test('types of JSON Schema may be written in upper case', async (t) => {
  const { ask } = await startReady(t);
  const look = { name: 'look', description: 'Looks.' };
  const tools = {
    chat: { type: 'function', function: { ...look, parameters: upper } },
    responses: { type: 'function', ...look, parameters: upper },
    messages: { ...look, input_schema: upper },
  };
  for (const api of names) {
    const { status, ignored, runtime } = await ask(api, { tools: [tools[api]] });
    const [sent] = (runtime?.['tools'] ?? []) as { function: { parameters: object } }[];
    assert.deepEqual([api, status, ignored], [api, 200, null]);
    assert.deepEqual(sent?.function.parameters, lower);
    const first = await ask(api, { json_schema: upper });
    const second = await ask(api, { json_schema: lower });
    assert.ok(first.runtime?.['response_format']);
    assert.deepEqual(first.runtime['response_format'], second.runtime?.['response_format']);
  }
});

test('a call is forced under the names of other servers too', async (t) => {
  const { ask } = await startReady(t);
  const functions = ['look', 'listen'].map((name) => ({ name, parameters: lower }));
  const tools = {
    chat: functions.map((each) => ({ type: 'function', function: each })),
    responses: functions.map((each) => ({ type: 'function', ...each })),
  };
  const one = { type: 'tool', name: 'listen' };
  for (const [api, tool_choice, offered] of [
    ['chat', 'any', ['look', 'listen']],
    ['chat', one, ['listen']],
    ['responses', 'any', ['look', 'listen']],
  ] as const) {
    const { ignored, answer, runtime } = await ask(api, { tools: tools[api], tool_choice });
    const sent = (runtime?.['tools'] ?? []) as { function: { name: string } }[];
    assert.deepEqual(
      [ignored, runtime?.['tool_choice'], sent.map((tool) => tool.function.name)],
      [null, 'required', offered],
    );
    if (api === 'responses') assert.equal(answer.tool_choice, 'required');
  }
  const { status, answer } = await ask('chat', {
    tools: tools.chat,
    tool_choice: { ...one, name: 'smell' },
  });
  assert.deepEqual([status, answer.error.param], [400, 'tool_choice']);
});

test('the arguments of an earlier call may be an object', async (t) => {
  const { ask } = await startReady(t);
  const given = { city: 'Rome', days: [1, null] };
  const call = (args: unknown) => ({
    id: 'c1',
    type: 'function',
    function: { name: 'look', arguments: args },
  });
  const chat = (args: unknown) => ({
    messages: [
      { role: 'user', content },
      { role: 'assistant', content: null, tool_calls: [call(args)] },
      { role: 'tool', tool_call_id: 'c1', content: 'Sunny.' },
    ],
  });
  const responses = (args: unknown) => ({
    input: [
      { role: 'user', content },
      { type: 'function_call', call_id: 'c1', name: 'look', arguments: args },
      { type: 'function_call_output', call_id: 'c1', output: 'Sunny.' },
    ],
  });
  for (const [api, body] of [
    ['chat', chat],
    ['responses', responses],
  ] as const) {
    const text = await ask(api, body(JSON.stringify(given)));
    const object = await ask(api, body(given));
    assert.deepEqual([object.status, object.ignored], [200, null]);
    assert.ok(text.runtime?.['messages']);
    assert.deepEqual(object.runtime?.['messages'], text.runtime['messages']);
    const { status, answer } = await ask(api, body(3));
    assert.equal(status, 400);
    assert.match(answer.error.message, /arguments` must be a string or an object \(got 3\)/);
  }
});
