import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventsOf, postTo } from '../support/api.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import {
  type Api,
  apis,
  assistant,
  limited,
  paths,
  promptOf,
  tool,
  user,
  useTemplates,
} from './template-service.ts';

// The real runtime with chat templates of other models: strict, without tools or thinking, or
// broken.

const image = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
const png = image.slice(image.indexOf(',') + 1);

const serve = useTemplates();

const params: Record<Api, string> = {
  chat: 'messages',
  messages: 'messages',
  responses: 'input',
};

const chatImage = { type: 'image_url', image_url: { url: image } };
const anthropicImage = {
  type: 'image',
  source: { type: 'base64', media_type: 'image/png', data: png },
};
const call = { name: 'look', arguments: '{"at": 1}' };

/** Conversations of agents in each API's form. */
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

test('agents’ conversations fit a strict template, and token counts match their usage', async () => {
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

test('a conversation that a strict template rejects is refused with the template’s message', async () => {
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

test('the assistant’s last message is continued, and the answer contains only the continuation', async () => {
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
  const streamedText = events.map(({ data }) => data.delta?.text ?? '').join('');
  assert.equal(streamedText, text);
  const response = await postTo(url, paths.responses, {
    ...{ input: turns, max_output_tokens: 8, continue_final_message: true },
  });
  assert.equal(response.body.output[0].content[0].text, text);
  assert.ok(!text.includes('{"shape":'));

  const counted = await postTo(url, '/v1/messages/count_tokens', { messages: turns });
  assert.equal(counted.body.input_tokens, promptOf(message.body));
  const newMessage = await postTo(url, paths.chat, { messages: turns, ...more });
  const [prefilled, own] = [chat, newMessage].map(({ body }) => body.usage.prompt_tokens);
  assert.ok(own > prefilled, 'without continue_final_message, the model starts a new message');
});
