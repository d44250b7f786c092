import assert from 'node:assert/strict';
import { test } from 'node:test';
import { postTo } from '../support/api.ts';
// Fields that vLLM, SGLang, llama.cpp, LM Studio, Ollama and OpenRouter document, on all three APIs. A
// stub runtime shows what reaches mlx_vlm.
import { apis, startReady } from '../support/minimal-requests.ts';

test('unlisted fields are ignored at any depth and reported by path', async (t) => {
  const { ask } = await startReady(t);
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
  const { ask } = await startReady(t);
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
  const { ask } = await startReady(t);
  const names = ['constructor', 'toString', 'hasOwnProperty'];
  const fields = Object.fromEntries(names.map((name) => [name, 'x']));
  for (const api of ['chat', 'responses', 'messages'] as const) {
    const { status, ignored } = await ask(api, { ...fields, chat_template_kwargs: fields });
    const paths = [...names, ...names.map((name) => `chat_template_kwargs.${name}`)];
    assert.deepEqual([status, ignored?.split(', ')], [200, paths]);
  }
});

test('an input that asks for compaction is refused by its item', async (t) => {
  const { ask } = await startReady(t);
  const input = [{ role: 'user', content: 'Hi' }, { type: 'compaction_trigger' }];
  const { status, answer } = await ask('responses', { input });
  assert.deepEqual(
    [status, answer.error.param, answer.error.code],
    [400, 'input.1', 'compaction_not_supported'],
  );
});

test('the conversation cannot be replaced through chat_template_kwargs', async (t) => {
  const { ask } = await startReady(t);
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

test('no field name can corrupt the response or its header', async (t) => {
  const { ask, service } = await startReady(t);
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
  const { url, stubs } = await startReady(t);
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
  const { ask, url } = await startReady(t, { strictParameters: true });
  for (const [path, body] of [
    ['/v1/messages/count_tokens', { messages: [{ role: 'user', content: 'Hello' }], foo: 1 }],
    ['/v1/responses/input_tokens', { input: 'Hello', foo: 1 }],
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
  const { url } = await startReady(t);
  for (const path of ['//v1/models', '/v1//models', '/v1/models']) {
    assert.equal((await fetch(url + path)).status, 200, path);
  }
});

test('keywords of a schema that are not enforced are reported, and refused with strict', async (t) => {
  const { ask } = await startReady(t);
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

test('a dot or percent sign in a name is encoded in every path that names the field', async (t) => {
  const { ask } = await startReady(t);
  const schema = (names: string[]) => ({
    type: 'object',
    properties: Object.fromEntries(names.map((name) => [name, { not: { const: 1 } }])),
  });
  const { ignored } = await ask('chat', { guided_json: schema(['a.b', 'a%2Eb', 'über']) });
  const place = 'guided_json.properties';
  assert.deepEqual(ignored?.split(', ').sort(), [
    `${place}.%C3%BCber.not`,
    `${place}.a%252Eb.not`,
    `${place}.a%2Eb.not`,
  ]);
  const params = async (body: object) => (await ask('chat', body)).answer.error.param;
  const parameters = schema(['a.b']);
  const tools = [{ type: 'function', function: { name: 'f', parameters, strict: true } }];
  const inTool = 'tools.0.function.parameters.properties.a%2Eb.not';
  assert.deepEqual(
    [await params({ tools }), await params({ logit_bias: { '1.5': 'x' } })],
    [inTool, 'logit_bias.1%2E5'],
  );
});

test('an empty conversation is refused with an explanation', async (t) => {
  const { ask } = await startReady(t);
  const { status, answer } = await ask('responses', { input: '', max_output_tokens: 1 });
  assert.deepEqual([status, answer.error.param, answer.error.code], [400, 'input', 'empty_input']);
});

test('a refused text-only request names the flag, and listeners learn which client sent it', async (t) => {
  const { ask, service } = await startReady(t, { allowTextOnly: false });
  const reported: string[] = [];
  t.after(
    service.activity.onTextOnlyRefused(({ client, count }) => reported.push(`${client} ${count}`)),
  );
  for (const _ of [1, 2]) {
    const { status, answer } = await ask('chat', {});
    assert.equal(status, 400);
    assert.match(
      answer.error.message,
      /--allow-text-only \(in the app: Answer without a picture\)/,
    );
  }
  assert.deepEqual(reported, ['node 1', 'node 2']);
});
