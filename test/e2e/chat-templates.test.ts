import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventsOf, postTo } from '../support/api.ts';
import type { ChangedModel } from '../support/changed-model.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { applySettings, type RunningService, startService } from '../support/service.ts';
import { createTemplateModel, templates } from '../support/template-model.ts';

// The real runtime with the chat templates of other models: strict ones, ones without tools or
// thinking, broken ones.

const image = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
const png = image.slice(image.indexOf(',') + 1);

type Template = keyof typeof templates;
let running: RunningService;
let current: Template = 'strict';
const models = new Map<Template, ChangedModel>();

/** The demo model's folder with this template. */
async function modelPathOf(name: Template): Promise<string> {
  const model = models.get(name) ?? (await createTemplateModel(templates[name]));
  models.set(name, model);
  return model.folder;
}

const settingsFor = async (name: Template) => ({
  ...{ modelPath: await modelPathOf(name), allowTextOnly: true },
});
before(async () => {
  running = await startService(await settingsFor(current));
});
after(async () => {
  await running.stop();
  await Promise.all([...models.values()].map((model) => model[Symbol.asyncDispose]()));
});

/** The service once it serves the model with this template. */
async function serve(name: Template): Promise<RunningService> {
  if (name !== current) {
    current = name;
    await applySettings(running, await settingsFor(name));
    await running.runtime();
  }
  return running;
}

const paths = {
  chat: '/v1/chat/completions',
  messages: '/v1/messages',
  responses: '/v1/responses',
};
type Api = keyof typeof paths;
const apis = Object.keys(paths) as Api[];
const params: Record<Api, string> = {
  chat: 'messages',
  messages: 'messages',
  responses: 'input',
};

const user = (content: unknown) => ({ role: 'user', content });
const assistant = (content: unknown, more: object = {}) => ({
  role: 'assistant',
  content,
  ...more,
});
const limited = (api: Api, max: number) =>
  api === 'responses' ? { max_output_tokens: max } : { max_tokens: max };

const chatImage = { type: 'image_url', image_url: { url: image } };
const anthropicImage = {
  type: 'image',
  source: { type: 'base64', media_type: 'image/png', data: png },
};
const tool = (api: Api) => {
  const [name, schema] = ['look', { type: 'object', properties: { at: { type: 'integer' } } }];
  if (api === 'chat') return { type: 'function', function: { name, parameters: schema } };
  if (api === 'messages') return { name, input_schema: schema };
  return { type: 'function', name, parameters: schema };
};
const call = { name: 'look', arguments: '{"at": 1}' };

/** All tokens of the prompt; Anthropic's `input_tokens` leave out those from the cache. */
const promptOf = ({ usage }: Awaited<ReturnType<typeof postTo>>['body']) =>
  usage.input_tokens + (usage.cache_read_input_tokens ?? 0);

/** What agents send. Each API's own form, and the one message that a strict template must be shown. */
const conversations: Record<string, Record<Api, object>> = {
  'two messages of the user': {
    chat: { messages: [user('Look.'), user('What is it?')] },
    messages: { messages: [user('Look.'), user('What is it?')] },
    responses: { input: [user('Look.'), user('What is it?')] },
  },
  'a system text and a picture': {
    chat: {
      messages: [
        { role: 'system', content: 'Be brief.' },
        user([chatImage, { type: 'text', text: 'What is in this image?' }]),
      ],
    },
    messages: {
      system: 'Be brief.',
      messages: [user([anthropicImage, { type: 'text', text: 'What is in this image?' }])],
    },
    responses: {
      instructions: 'Be brief.',
      input: [
        user([
          { type: 'input_image', image_url: image },
          { type: 'input_text', text: 'What is in this image?' },
        ]),
      ],
    },
  },
  'several instructions before several messages (Codex)': {
    chat: {
      messages: [
        { role: 'developer', content: 'One.' },
        { role: 'developer', content: 'Two.' },
        user('Here.'),
        user('Go.'),
      ],
    },
    messages: {
      system: [
        { type: 'text', text: 'One.' },
        { type: 'text', text: 'Two.' },
      ],
      messages: [user('Here.'), user('Go.')],
    },
    responses: {
      instructions: 'Zero.',
      input: [
        { role: 'developer', content: 'One.' },
        { role: 'developer', content: 'Two.' },
        user('Here.'),
        user('Go.'),
      ],
    },
  },
  'a picture from a tool, then a question': {
    chat: {
      tools: [tool('chat')],
      messages: [
        user('Look.'),
        assistant(null, { tool_calls: [{ id: 'call_1', type: 'function', function: call }] }),
        { role: 'tool', tool_call_id: 'call_1', content: [chatImage] },
        user('What is it?'),
      ],
    },
    messages: {
      tools: [tool('messages')],
      messages: [
        user('Look.'),
        assistant([{ type: 'tool_use', id: 'call_1', name: 'look', input: { at: 1 } }]),
        user([
          { type: 'tool_result', tool_use_id: 'call_1', content: [anthropicImage] },
          { type: 'text', text: 'What is it?' },
        ]),
      ],
    },
    responses: {
      tools: [tool('responses')],
      input: [
        user('Look.'),
        { type: 'function_call', call_id: 'call_1', ...call },
        {
          type: 'function_call_output',
          call_id: 'call_1',
          output: [{ type: 'input_image', image_url: image }],
        },
        user('What is it?'),
      ],
    },
  },
};

test('a strict template answers what agents send, and counts it alike', async () => {
  const { url } = await serve('strict');
  for (const [name, bodies] of Object.entries(conversations)) {
    for (const api of apis) {
      const { status, body } = await postTo(url, paths[api], {
        ...bodies[api],
        ...limited(api, 4),
      });
      assert.equal(status, 200, `${name}, ${api}: ${JSON.stringify(body)}`);
      if (api === 'chat') continue;
      const count = api === 'messages' ? '/count_tokens' : '/input_tokens';
      const { input_tokens } = (await postTo(url, paths[api] + count, bodies[api])).body;
      assert.equal(input_tokens, promptOf(body), `${name}, ${api}`);
    }
  }
  const count = async (...messages: object[]) =>
    (await postTo(url, '/v1/messages/count_tokens', { messages })).body.input_tokens;
  assert.equal(await count(user('Look.'), user('Why?')), await count(user('Look.\n\nWhy?')));
});

test('a conversation that fits no strict template is refused in the template’s words', async () => {
  const { url } = await serve('strict');
  const turns = [assistant('Hello.'), user('Hi.')];
  for (const api of apis) {
    const body = api === 'responses' ? { input: turns } : { messages: turns };
    const requests: object[] = [{ ...body, ...limited(api, 4) }];
    if (api === 'messages') requests.push({ ...body, ...limited(api, 4), stream: true });
    for (const request of requests) {
      const { status, body: refused } = await postTo(url, paths[api], request);
      assert.equal(status, 400);
      assert.match(refused.error.message, /roles must alternate user\/assistant/);
      if (api === 'messages') continue; // Anthropic's errors have a type and a message
      assert.deepEqual(
        [refused.error.param, refused.error.code],
        [params[api], 'template_refused'],
      );
    }
  }
  const { status } = await postTo(url, '/v1/messages/count_tokens', { messages: turns });
  assert.equal(status, 400);
});

test('the last message of the assistant is continued, and the answer is what follows', async () => {
  const { url } = await serve('strict');
  const turns = [user('What is it?'), assistant('{"shape":')];
  const more = { max_tokens: 8 };
  const asChat = { messages: turns, ...more, continue_final_message: true };
  const chat = await postTo(url, paths.chat, { ...asChat, add_generation_prompt: false });
  assert.equal(chat.status, 200);
  const text = chat.body.choices[0].message.content;
  const message = await postTo(url, paths.messages, { messages: turns, ...more });
  assert.deepEqual(message.body.content, [{ type: 'text', text }]);
  const events = await eventsOf(url, paths.messages, { messages: turns, ...more });
  const told = events.map(({ data }) => data.delta?.text ?? '').join('');
  assert.equal(told, text);
  const response = await postTo(url, paths.responses, {
    ...{ input: turns, max_output_tokens: 8, continue_final_message: true },
  });
  assert.equal(response.body.output[0].content[0].text, text);
  assert.ok(!text.includes('{"shape":'));

  const counted = await postTo(url, '/v1/messages/count_tokens', { messages: turns });
  assert.equal(counted.body.input_tokens, promptOf(message.body));
  const begun = await postTo(url, paths.chat, { messages: turns, ...more });
  const [prefilled, own] = [chat, begun].map(({ body }) => body.usage.prompt_tokens);
  assert.ok(own > prefilled, 'without continue_final_message, the model begins its own message');
});

for (const failure of ['undefined', 'endless']) {
  test(`a template that fails (${failure}) is not the request’s fault, and a retry would not help`, async () => {
    const { url } = await serve('plain');
    const { status, headers, body } = await postTo(url, paths.chat, {
      messages: [user(`fail: ${failure}`)],
    });
    assert.deepEqual(
      [status, headers.get('x-should-retry'), body.error.code],
      [500, 'false', 'template_failed'],
    );
    assert.equal((await fetch(`${url}/health`)).status, 200);
  });
}

test('calls that a model writes as they were described are calls', async () => {
  const { url } = await serve('plain');
  const written = '<tool_call>\n{"name": "look", "arguments": {"at": 1}}\n</tool_call>';
  const asked = (api: Api) => ({
    ...(api === 'responses' ? { input: 'Look.' } : { messages: [user('Look.')] }),
    ...limited(api, 100),
    tools: [tool(api)],
    guided_choice: [written],
  });
  const chat = (await postTo(url, paths.chat, asked('chat'))).body.choices[0];
  assert.deepEqual(
    [chat.finish_reason, chat.message.tool_calls[0].function.name],
    ['tool_calls', 'look'],
  );
  assert.deepEqual(JSON.parse(chat.message.tool_calls[0].function.arguments), { at: 1 });
  const message = (await postTo(url, paths.messages, asked('messages'))).body;
  assert.deepEqual(message.content.at(-1).input, { at: 1 });
  const response = (await postTo(url, paths.responses, asked('responses'))).body;
  assert.deepEqual(JSON.parse(response.output.at(-1).arguments), { at: 1 });
});

test('thinking that a model cannot do, or cannot leave, is reported as ignored', async () => {
  const ignoredBy = async (name: Template) => {
    const { url } = await serve(name);
    const ask = async (api: Api, fields: object) => {
      const body = api === 'responses' ? { input: 'Hi.' } : { messages: [user('Hi.')] };
      const answer = await postTo(url, paths[api], { ...body, ...limited(api, 2), ...fields });
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      return answer.headers.get('x-sightglass-ignored');
    };
    const on = [
      await ask('chat', { reasoning_effort: 'low' }),
      await ask('chat', { chat_template_kwargs: { enable_thinking: true } }),
      await ask('responses', { reasoning: { effort: 'high' } }),
      await ask('messages', { thinking: { type: 'enabled', budget_tokens: 1024 } }),
      await ask('messages', { think: true, output_config: { effort: 'low' } }),
    ];
    const off = [
      await ask('chat', { reasoning_effort: 'none' }),
      await ask('chat', { enable_thinking: false }),
      await ask('messages', { thinking: { type: 'disabled' } }),
    ];
    return { on, off };
  };
  assert.deepEqual(await ignoredBy('plain'), {
    on: [
      'reasoning_effort',
      'chat_template_kwargs.enable_thinking',
      'reasoning.effort',
      'thinking',
      'think, output_config.effort',
    ],
    off: [null, null, null],
  });
  assert.deepEqual(await ignoredBy('alwaysThinks'), {
    on: ['reasoning_effort', null, 'reasoning.effort', null, 'output_config.effort'],
    off: ['reasoning_effort', 'enable_thinking', 'thinking'],
  });
  assert.deepEqual(await ignoredBy('mayThink'), {
    on: [null, null, null, null, null],
    off: [null, null, null],
  });
});

test('what cannot be continued is refused by name', async () => {
  const { url } = await serve('lastQuestion');
  const turns = [user('What is it?'), assistant('It')];
  const schema = { type: 'object', properties: {}, additionalProperties: false };
  const asked = { continue_final_message: true };
  const byTemplate = { messages: turns, ...asked };
  const cases: [Api, object, string][] = [
    ['chat', byTemplate, 'continue_final_message'],
    ['chat', { messages: [user('Hi.')], ...asked }, 'continue_final_message'],
    ['chat', { ...byTemplate, add_generation_prompt: true }, 'add_generation_prompt'],
    ['chat', { messages: turns, add_generation_prompt: false }, 'add_generation_prompt'],
    ['chat', { ...byTemplate, json_schema: schema }, 'continue_final_message'],
    ['responses', { input: turns, ...asked }, 'continue_final_message'],
  ];
  for (const [api, body, param] of cases) {
    const { status, body: refused } = await postTo(url, paths[api], body);
    assert.deepEqual([status, refused.error.param], [400, param], JSON.stringify(refused));
  }
  const { status, body } = await postTo(url, paths.messages, { messages: turns, max_tokens: 5 });
  assert.equal(status, 400);
  assert.match(body.error.message, /cannot be continued/);
});
