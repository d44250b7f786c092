import assert from 'node:assert/strict';
import { test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { compatibilityOf } from '../../scripts/compatibility-table.ts';
import { ChatCompletionRequest } from '../../server/apis/chat/request.ts';
import { SUPPORTED_PARAMETERS } from '../../server/http/models.ts';

import { sightglassVersion } from '../../server/version.ts';
import { startService, startStubService, until } from '../support/service.ts';
import type { StubProcess } from '../support/stub-runtimes.ts';

// biome-ignore lint/suspicious/noExplicitAny: bodies as other servers' clients read them
type Body = any;

const get = async (url: string, init: RequestInit = {}): Promise<Body> =>
  (await fetch(url, init)).json();
const never = new AbortController().signal;

/** How clients of other servers read a model's capabilities. */
const CLIENTS: Record<string, (model: Body) => Record<string, unknown>> = {
  vLLM: (model) => ({ context: model.max_model_len }),
  Groq: (model) => ({ context: model.context_window }),
  'llama.cpp': (model) => ({
    context: model.meta.n_ctx,
    vision: model.architecture.input_modalities.includes('image'),
  }),
  OpenRouter: ({ context_length, architecture, supported_parameters: parameters }) => ({
    context: context_length,
    vision: architecture.input_modalities.includes('image'),
    tools: parameters.includes('tools'),
    thinking: parameters.includes('reasoning'),
    structured: parameters.includes('structured_outputs'),
  }),
  Mistral: ({ max_context_length, capabilities }) => ({
    context: max_context_length,
    vision: capabilities.vision,
    tools: capabilities.function_calling,
    thinking: capabilities.reasoning,
  }),
  Anthropic: ({ max_input_tokens, capabilities }) => ({
    context: max_input_tokens,
    vision: capabilities.image_input.supported,
    thinking: capabilities.thinking.supported,
    structured: capabilities.structured_outputs.supported,
  }),
  'LM Studio': (model) => ({ context: model.loaded_context_length ?? model.max_context_length }),
};

const EXPECTED: Record<string, unknown> = {
  ...{ context: 4096, vision: true, tools: true, thinking: false, structured: true },
};

test('clients of other servers find the model’s capabilities where they expect them', async (t) => {
  const { url, service, stop } = await startService();
  t.after(stop);
  for (const when of ['loaded', 'not-loaded']) {
    const list = await get(`${url}/v1/models`);
    const [model] = list.data;
    for (const [client, read] of Object.entries(CLIENTS)) {
      for (const [what, value] of Object.entries(read(model))) {
        assert.equal(value, EXPECTED[what], `${client}: ${what}, ${when}`);
      }
    }
    assert.deepEqual(await get(`${url}/v1/models/demo`), model);
    assert.deepEqual(
      [model.state, model.status.value, model.quantization, model.arch],
      [when, when === 'loaded' ? 'loaded' : 'unloaded', 'float16', 'qwen2_vl'],
    );
    assert.deepEqual(list.models[0].capabilities, ['completion', 'vision', 'multimodal', 'tools']);

    const lmStudio = {
      id: 'demo',
      object: 'model',
      type: 'vlm',
      publisher: 'sightglass',
      arch: 'qwen2_vl',
      compatibility_type: 'mlx',
      quantization: 'float16',
      state: when,
      max_context_length: 4096,
      ...(when === 'loaded' ? { loaded_context_length: 4096 } : {}),
      capabilities: ['tool_use', 'vision'],
    };
    assert.deepEqual(await get(`${url}/api/v0/models`), { object: 'list', data: [lmStudio] });
    assert.deepEqual(await get(`${url}/api/v0/models/demo`), lmStudio);

    const props = {
      default_generation_settings: { n_ctx: 4096, params: { reasoning_format: 'none' } },
      total_slots: 1,
      model_alias: 'demo',
      model_path: 'demo',
      modalities: { vision: true, audio: false, video: false },
      chat_template_caps: {
        supports_string_content: true,
        supports_typed_content: true,
        supports_tools: true,
        supports_tool_calls: true,
        supports_parallel_tool_calls: true,
      },
      build_info: `sightglass ${sightglassVersion()}`,
      is_sleeping: when !== 'loaded',
    };
    assert.deepEqual(await get(`${url}/props`), props);
    assert.deepEqual(await get(`${url}/v1/props?model=demo`), props);
    await service.runtime.unload();
  }

  const client = new Anthropic({ baseURL: url, apiKey: 'none', maxRetries: 0 });
  const page = await client.models.list();
  const [model] = page.data;
  assert.deepEqual([model?.type, model?.display_name, page.has_more], ['model', 'demo', false]);
  assert.match(model?.created_at ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual(await client.models.retrieve('demo'), model);
  await assert.rejects(client.models.retrieve('claude'), (error: Body) => {
    assert.deepEqual([error.status, error.type], [404, 'not_found_error']);
    return true;
  });
});

test('the description of a model is available in every phase of the runtime once known', async (t) => {
  const described = { model_type: 'qwen3_vl', context_length: 9, quantization: '8-bit' };
  const guess = { sees_images: true, calls_tools: true, thinks: false };
  const overrides = { modelPath: 'mlx-community/Qwen3-VL-4B-Thinking-8bit', maxAnswerTokens: 5 };
  const { url, stubs, service, settings } = await startStubService(t, overrides, () => {});
  const { runtime } = service;
  const look = async () => {
    const { state, max_model_len, capabilities, max_tokens } = await get(
      `${url}/v1/models/mlx-community/Qwen3-VL-4B-Thinking-8bit`,
    );
    const { vision, function_calling, reasoning } = capabilities ?? {};
    return [state, max_model_len, max_tokens, vision, function_calling, reasoning];
  };
  const unknown = [undefined, 5, undefined, undefined, undefined];
  const stub = await stubs.at(0);
  assert.deepEqual(await look(), ['loading', ...unknown]);
  const props = await get(`${url}/props`);
  assert.deepEqual(
    [props.modalities, props.default_generation_settings.n_ctx],
    [undefined, undefined],
  );
  stub.loading();
  const line = { event: 'description', ...described, ...guess } as const;
  stub.command({ do: 'say', line });
  await until({ service }, () => runtime.state.context.description !== undefined);
  assert.deepEqual(await look(), ['loading', 9, 5, true, true, false]);
  const template = { tools: 'none', thinking: 'always', reasoning_effort: false } as const;
  stub.ready({ ...described, sees_images: true, template });
  await runtime.ensureReady(never);
  const known = [9, 5, true, false, true];
  assert.deepEqual(await look(), ['loaded', ...known]);
  const [listed] = (await get(`${url}/v1/models`)).data;
  assert.deepEqual(
    [listed.display_name, listed.quantization, listed.supported_parameters.includes('reasoning')],
    ['Qwen3-VL-4B-Thinking-8bit', '8bit', true],
  );
  const [lmStudio] = (await get(`${url}/api/v0/models`)).data;
  assert.deepEqual([lmStudio.publisher, lmStudio.type], ['mlx-community', 'vlm']);
  assert.deepEqual(
    await get(`${url}/api/v0/models/mlx-community/Qwen3-VL-4B-Thinking-8bit`),
    lmStudio,
  );
  await runtime.unload();
  assert.deepEqual(await look(), ['not-loaded', ...known]);

  await service.apply({ ...settings, modelPath: 'B' });
  const other: StubProcess = await stubs.at(1);
  const { data } = await get(`${url}/v1/models`);
  assert.deepEqual([data[0].id, data[0].state, data[0].capabilities], ['B', 'loading', null]);
  other.ready({ sees_images: false, context_length: null });
  await runtime.ensureReady(never);
  const [text] = (await get(`${url}/v1/models`)).data;
  assert.deepEqual(
    [text.architecture.input_modalities, text.max_model_len, text.max_input_tokens],
    [['text'], undefined, null],
  );
  assert.equal((await get(`${url}/props`)).modalities.vision, false);
  assert.equal((await get(`${url}/api/v0/models/B`)).type, 'llm');
});

test('descriptions require the key, and never contain the model’s path', async (t) => {
  const overrides = { apiKey: 'secret', modelPath: '/Users/somebody/models/Qwen-4bit' };
  const { url } = await startStubService(t, overrides);
  const paths = ['models', 'models/Qwen-4bit', 'props', 'api/v0/models', 'api/v0/models/Qwen-4bit'];
  for (const path of paths) {
    const refused = await fetch(`${url}/${path}`);
    const answered = await fetch(`${url}/${path}`, { headers: { 'x-api-key': 'secret' } });
    assert.deepEqual([refused.status, answered.status], [401, 200], path);
    const body = await answered.text();
    assert.ok(body.includes('Qwen-4bit') && !body.includes('somebody'), body);
  }
  for (const path of ['api/v0/models/other', 'api/v0/models/other/one', 'models/other']) {
    const missing = await fetch(`${url}/${path}`, { headers: { 'x-api-key': 'secret' } });
    assert.equal(missing.status, 404, path);
  }
  const headers = { 'anthropic-version': '2023-06-01' };
  const { type, error } = await get(`${url}/v1/models`, { headers });
  assert.deepEqual([type, error.type], ['error', 'authentication_error']);
});

test('LM Studio’s clients can chat at the path where they found the model', async (t) => {
  const { url, stubs } = await startStubService(t);
  const stub = await stubs.at(0);
  const answer = get(`${url}/api/v0/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }] }),
  });
  const { id } = await stub.requests.at(0);
  stub.answer(id, 'Hello.');
  assert.equal((await answer).choices[0].message.content, 'Hello.');
});

test('every parameter listed as supported has an effect', () => {
  const honoured = compatibilityOf(ChatCompletionRequest)
    .filter(([, { effect }]) => effect === 'gateway' || effect === 'runtime')
    .map(([name]) => name);
  const listed = [...SUPPORTED_PARAMETERS, 'tools', 'tool_choice', 'reasoning'];
  assert.deepEqual(
    listed.filter((name) => !honoured.includes(name)),
    [],
  );
});
