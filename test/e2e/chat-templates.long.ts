import assert from 'node:assert/strict';
import { test } from 'node:test';
import { postTo } from '../support/api.ts';
import {
  type Api,
  assistant,
  limited,
  paths,
  type Template,
  tool,
  user,
  useTemplates,
} from './template-service.ts';

const serve = useTemplates();

for (const failure of ['undefined', 'endless']) {
  test(`a template that fails (${failure}) gets 500 and is not worth a retry`, async () => {
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

test('calls written in the described format are recognized', async () => {
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

test('thinking that a model cannot turn on or off is reported as ignored', async () => {
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

test('a conversation that cannot be continued is refused with the field’s name', async () => {
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
