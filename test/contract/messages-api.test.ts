import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventsOf, postTo } from '../support/api.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { applySettings, type RunningService, startService } from '../support/service.ts';

let running: RunningService;
const png = await drawShape({ shape: 'circle', color: 'red' });
const blue = toDataUrl(await drawShape({ shape: 'square', color: 'blue' }), 'image/png');
const usual = 'A red circle on a white background.';
before(async () => {
  running = await startService();
});
after(() => running.stop());

const base64 = {
  type: 'image',
  source: { type: 'base64', media_type: 'image/png', data: png.toString('base64') },
};
const byUrl = (url: string) => ({ type: 'image', source: { type: 'url', url } });
const text = (words: string) => ({ type: 'text', text: words });
const user = (...content: object[]) => ({ role: 'user', content });
const asked = [user(base64, text('What is in this image?'))];
const create = (extra: object, messages: object[] = asked) =>
  postTo(running.url, '/v1/messages', { model: 'claude', max_tokens: 100, messages, ...extra });

test('a message answers about a base64 image, with its usage', async () => {
  const { body, headers } = await create({ system: 'You describe images.' });
  assert.deepEqual(
    [body.type, body.role, body.model, body.content, body.stop_reason, body.stop_sequence],
    ['message', 'assistant', 'claude', [{ type: 'text', text: usual }], 'end_turn', null],
  );
  assert.ok(body.usage.input_tokens + body.usage.cache_read_input_tokens > 10);
  assert.equal(body.usage.output_tokens, 9);
  assert.match(headers.get('request-id') ?? '', /^req-/);
});

test('a message answers about an image given by its URL', async () => {
  const { body } = await create({}, [user(byUrl(blue), text('What color is it?'))]);
  assert.equal(body.content[0].text, 'Blue.');
});

test('a stream of a message has Anthropic’s events, in order', async () => {
  const events = await eventsOf(running.url, '/v1/messages', { messages: asked, max_tokens: 100 });
  const names = events.map(({ event }) => event);
  assert.deepEqual(
    names.filter((name, at) => name !== 'content_block_delta' || name !== names[at - 1]),
    [
      'message_start',
      'content_block_start',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ],
  );
  for (const { event, data } of events) {
    assert.equal(event, data.type);
    if (/^content_block/.test(data.type)) assert.equal(data.index, 0);
  }
  assert.equal(events.map(({ data }) => data.delta?.text ?? '').join(''), usual);
  const { delta, usage } = events.at(-2)?.data ?? {};
  assert.deepEqual([delta.stop_reason, usage.output_tokens], ['end_turn', 9]);
});

test('stop_sequences end a message, stream or not, and are never shown', async () => {
  const { body } = await create({ stop_sequences: ['circle on'] });
  assert.deepEqual(
    [body.content[0].text, body.stop_reason, body.stop_sequence],
    ['A red ', 'stop_sequence', 'circle on'],
  );
  const stop = { messages: asked, max_tokens: 100, stop_sequences: ['circle on'] };
  const events = await eventsOf(running.url, '/v1/messages', stop);
  assert.equal(events.map(({ data }) => data.delta?.text ?? '').join(''), 'A red ');
  assert.equal(events.at(-2)?.data.delta.stop_sequence, 'circle on');
});

test('max_tokens truncates a message, and stop_reason reports it', async () => {
  const { body } = await create({ max_tokens: 3 });
  assert.deepEqual([body.content[0].text, body.stop_reason], ['A red circle', 'max_tokens']);
});

test('a tool call and its result with an image are accepted', async () => {
  const { body } = await create({ tools: [{ name: 'look', input_schema: { type: 'object' } }] }, [
    ...asked,
    {
      role: 'assistant',
      content: [
        { type: 'thinking', thinking: 'Hm.', signature: '' },
        { type: 'redacted_thinking', data: '' },
        text(usual),
        { type: 'tool_use', id: 'toolu_1', name: 'look', input: { at: 'it' } },
      ],
    },
    user(
      { type: 'tool_result', tool_use_id: 'toolu_1', content: [byUrl(blue)] },
      text('What color is it?'),
    ),
  ]);
  assert.match(body.content[0].text, /blue/i);
});

test('these parameters are accepted: temperature, top_p, top_k, thinking, tools, tool_choice, stream', async () => {
  const tools = [{ type: 'custom', name: 'look', input_schema: { type: 'object' } }];
  for (const extra of [
    { temperature: 0.5, top_p: 0.9, top_k: 5, stream: false },
    { thinking: { type: 'enabled', budget_tokens: 1024 } },
    { thinking: { type: 'disabled' }, output_config: { effort: 'low' } },
    { tools, tool_choice: { type: 'any', disable_parallel_tool_use: true } },
    { tools, tool_choice: { type: 'tool', name: 'look' } },
    { tools, tool_choice: { type: 'none' } },
    { system: [text('Be brief.')] },
  ]) {
    assert.equal((await create(extra)).status, 200, JSON.stringify(extra));
  }
});

const refusals: [string, object, object[], number, string, RegExp][] = [
  ['no max_tokens', { max_tokens: undefined }, asked, 400, 'invalid_request_error', /`max_tokens`/],
  ['no image', {}, [user(text('Hello'))], 400, 'invalid_request_error', /contains no image/],
  [
    'data that is not an image',
    {},
    [user(text('?'), byUrl('data:image/png;base64,AAAA'))],
    400,
    'invalid_request_error',
    /image/,
  ],
  [
    'a choice of one of Anthropic’s own tools',
    {
      tools: [{ type: 'web_search_20250305', name: 'web_search' }],
      tool_choice: { type: 'tool', name: 'web_search' },
    },
    asked,
    400,
    'invalid_request_error',
    /`tool_choice`/,
  ],
];
for (const [what, extra, messages, status, type, message] of refusals) {
  test(`${what} is refused in Anthropic’s form, with the reason`, async () => {
    const { status: got, body } = await create(extra, messages);
    assert.deepEqual([got, body.type, body.error.type], [status, 'error', type]);
    assert.match(body.error.message, message);
  });
}

test('a wrong key is refused in Anthropic’s form; x-api-key is the right one', async () => {
  const ask = (key: string) =>
    fetch(`${running.url}/v1/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': key },
      body: JSON.stringify({ max_tokens: 5, messages: asked }),
    });
  await applySettings(running, { apiKey: 'secret' });
  const refused = await ask('wrong');
  const { error } = (await refused.json()) as { error: { type: string } };
  assert.deepEqual([refused.status, error.type], [401, 'authentication_error']);
  assert.equal((await ask('secret')).status, 200);
  await applySettings(running);
});

test('message_start and message_delta report the same prompt tokens', async () => {
  const events = await eventsOf(running.url, '/v1/messages', {
    ...{ model: 'claude', max_tokens: 5, messages: asked },
  });
  const start = events.find(({ event }) => event === 'message_start')?.data.message.usage;
  const end = events.find(({ event }) => event === 'message_delta')?.data.usage;
  assert.ok(start.input_tokens + start.cache_read_input_tokens > 10);
  assert.deepEqual(
    [start.input_tokens, start.cache_read_input_tokens],
    [end.input_tokens, end.cache_read_input_tokens],
  );
});

const counted = (body: object) => postTo(running.url, '/v1/messages/count_tokens', body);
const tools = [{ name: 'report', input_schema: { type: 'object', properties: {} } }];
for (const [what, body] of [
  ['an image', { messages: asked }],
  [
    'two images, a system prompt and tools',
    {
      messages: [user(base64, byUrl(blue), text('Which?'))],
      system: 'Be brief.',
      tools,
    },
  ],
] as const) {
  test(`count_tokens counts ${what} exactly as usage does`, async () => {
    const { messages, ...rest } = body;
    const usage = (await create({ ...rest, max_tokens: 1 }, [...messages])).body.usage;
    const { body: count } = await counted({ model: 'claude', ...body });
    assert.deepEqual(count, { input_tokens: usage.input_tokens + usage.cache_read_input_tokens });
  });
}

test('count_tokens accepts text without an image, and does not use the queue', async () => {
  const { body } = await counted({ model: 'claude', messages: [user(text('Hello'))] });
  assert.ok(body.input_tokens > 0);
  assert.equal(running.service.queue.stats.activeRequests, 0);
});

test('count_tokens reports the fields that it ignores', async () => {
  const { headers } = await counted({ messages: [user(text('Hello'))], foo: 1, max_tokens: 5 });
  assert.equal(headers.get('x-sightglass-ignored'), 'foo');
});

test('count_tokens refuses an invalid body like the message itself', async () => {
  const { status, body } = await counted({ model: 'claude', messages: [] });
  assert.deepEqual([status, body.error.type], [400, 'invalid_request_error']);
});
