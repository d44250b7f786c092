import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventsOf, postTo } from '../support/api.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { type RunningService, startService } from '../support/service.ts';

let running: RunningService;
const red = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
const blue = toDataUrl(await drawShape({ shape: 'square', color: 'blue' }), 'image/png');
const usual = 'A red circle on a white background.';
before(async () => {
  running = await startService();
});
after(() => running.stop());

const shown = (image_url: string) => ({ type: 'input_image', image_url });
const said = (text: string) => ({ type: 'input_text', text });
const picture = (url: string, text = 'What is in this image?') => ({
  role: 'user',
  content: [said(text), shown(url)],
});
const create = (extra: object, input: unknown = [picture(red)]) =>
  postTo(running.url, '/v1/responses', { input, temperature: 0, ...extra });
// biome-ignore lint/suspicious/noExplicitAny: a test reads any JSON
const textOf = (body: any): string => body.output[0]?.content[0]?.text ?? JSON.stringify(body);
const forget = (id: string) => fetch(`${running.url}/v1/responses/${id}`, { method: 'DELETE' });

test('a response answers about an input_image and repeats the model’s name', async () => {
  const { body } = await create({ model: 'gpt-9', instructions: 'You describe images.' });
  assert.deepEqual(
    [textOf(body), body.model, body.status, body.instructions],
    [usual, 'gpt-9', 'completed', 'You describe images.'],
  );
});

test('a streamed response has the same content, in order', async () => {
  const events = await eventsOf(running.url, '/v1/responses', {
    input: [picture(red)],
    stream_options: { include_obfuscation: false },
  });
  assert.deepEqual(
    [...new Set(events.map(({ event }) => event))],
    [
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ],
  );
  const deltas = events.map(({ data }) => data.delta ?? '').join('');
  assert.deepEqual([deltas, textOf(events.at(-1)?.data.response)], [usual, usual]);
});

test('max_output_tokens truncates the response, and incomplete_details reports it', async () => {
  const { body } = await create({ max_output_tokens: 3 });
  assert.deepEqual(
    [textOf(body), body.status, body.incomplete_details],
    ['A red circle', 'incomplete', { reason: 'max_output_tokens' }],
  );
});

test('previous_response_id continues the conversation, with its pictures', async () => {
  for (const stream of [false, true]) {
    const first = stream
      ? (await eventsOf(running.url, '/v1/responses', { input: [picture(blue)] })).at(-1)?.data
          .response
      : (await create({}, [picture(blue)])).body;
    const asked = { previous_response_id: first.id };
    const { body } = await create(asked, 'What color is it?');
    assert.deepEqual([textOf(body), body.previous_response_id], ['Blue.', first.id]);
  }
});

test('store: false stores nothing', async () => {
  const { body } = await create({ store: false });
  const { status, body: refused } = await create({ previous_response_id: body.id }, 'And now?');
  assert.deepEqual([status, refused.error.param], [404, 'previous_response_id']);
});

test('a stored response can be read, its input listed, and deleted', async () => {
  const { body } = await create({});
  const url = `${running.url}/v1/responses/${body.id}`;
  assert.deepEqual(await (await fetch(url)).json(), body);
  const items = (await (await fetch(`${url}/input_items`)).json()) as { data: { role: string }[] };
  assert.deepEqual(
    items.data.map(({ role }) => role),
    ['user'],
  );
  assert.equal((await forget(body.id)).status, 200);
  assert.equal((await fetch(url)).status, 404);
});

test('an item_reference names an item of an earlier answer', async () => {
  const { body } = await create({}, [picture(blue)]);
  const reference = { type: 'item_reference', id: body.output[0].id };
  const question = { role: 'user', content: 'What color is it?' };
  assert.equal(textOf((await create({}, [picture(blue), reference, question])).body), 'Blue.');
  const { status, body: refused } = await create({}, [{ type: 'item_reference', id: 'msg_0' }]);
  assert.deepEqual([status, refused.error.param], [404, 'input.0']);
});

test('output items of earlier answers are accepted: output_text, reasoning, function calls, images', async () => {
  const { body } = await create({}, [
    picture(red),
    {
      type: 'reasoning',
      id: 'rs_1',
      summary: [],
      content: [{ type: 'reasoning_text', text: '…' }],
    },
    { role: 'assistant', content: [{ type: 'output_text', text: usual, annotations: [] }] },
    { type: 'function_call', call_id: 'call_1', name: 'look', arguments: '{}' },
    { type: 'function_call_output', call_id: 'call_1', output: [shown(blue)] },
    { role: 'user', content: 'What color is it?' },
  ]);
  assert.match(textOf(body), /blue/i);
});

test('include and top_logprobs add the logprobs', async () => {
  for (const extra of [{ include: ['message.output_text.logprobs'] }, { top_logprobs: 2 }]) {
    const { body } = await create({ ...extra, temperature: 1 });
    const tokens = body.output[0].content[0].logprobs.map(({ token }: { token: string }) => token);
    assert.equal(tokens.join(''), textOf(body));
  }
});

test('parameters are applied or echoed: temperature, top_p, seed, metadata, tools', async () => {
  const tool = { type: 'function', name: 'look', parameters: { type: 'object' } };
  const { body } = await create({
    temperature: 0.5,
    top_p: 0.9,
    seed: 3,
    metadata: { a: 'b' },
    tools: [tool],
    tool_choice: {
      type: 'allowed_tools',
      mode: 'auto',
      tools: [{ type: 'function', name: 'look' }],
    },
    parallel_tool_calls: false,
    truncation: 'disabled',
    background: false,
    reasoning: { effort: 'none', summary: 'auto' },
    text: { format: { type: 'text' }, verbosity: 'medium' },
    top_k: 50,
    min_p: 0.01,
    top_n_sigma: 0,
    typical_p: 1,
    p_less: false,
    enable_thinking: false,
  });
  assert.deepEqual(
    [body.temperature, body.top_p, body.metadata, body.tools[0].name, body.parallel_tool_calls],
    [0.5, 0.9, { a: 'b' }, 'look', false],
  );
});

const refusals: [string, object, unknown, number, string][] = [
  ['no image anywhere', {}, 'Hello', 400, 'input'],
  [
    'a file',
    {},
    [{ role: 'user', content: [{ type: 'input_file', file_id: 'f' }] }],
    400,
    'input.0.content.0.type',
  ],
  [
    'an image by the id of a file',
    {},
    [{ role: 'user', content: [{ ...shown(red), file_id: 'f' }] }],
    400,
    'input.0.content.0.file_id',
  ],
  [
    'an image that cannot be fetched',
    {},
    [picture('http://127.0.0.1:9/x.png')],
    400,
    'input.0.content.1',
  ],
  [
    'a choice of one of OpenAI’s own tools',
    { tools: [{ type: 'web_search' }], tool_choice: 'required' },
    [picture(red)],
    400,
    'tool_choice',
  ],
  [
    'a choice of a tool there is not',
    { tool_choice: { type: 'function', name: 'f' } },
    [picture(red)],
    400,
    'tool_choice',
  ],
  ['an answer in the background', { background: true }, [picture(red)], 400, 'background'],
  ['another truncation', { truncation: 'middle' }, [picture(red)], 400, 'truncation'],
];
for (const [what, extra, input, status, param] of refusals) {
  test(`${what} is refused in Responses, naming ${param}`, async () => {
    const { status: got, body } = await create(extra, input);
    assert.deepEqual([got, body.error?.param], [status, param]);
  });
}

test('input items have an id, a status and typed content in every form they can be sent', async () => {
  const { body } = await create({}, [
    { role: 'user', content: 'Hello' },
    { role: 'assistant', content: 'Hi' },
    picture(red),
  ]);
  const listed = await fetch(`${running.url}/v1/responses/${body.id}/input_items`);
  const { data } = (await listed.json()) as { data: Record<string, unknown>[] };
  assert.deepEqual(
    data.map(({ id, ...item }) => [typeof id, item]),
    [
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Hello' }] },
      {
        type: 'message',
        role: 'assistant',
        content: [{ type: 'output_text', text: 'Hi', annotations: [], logprobs: [] }],
      },
      {
        type: 'message',
        role: 'user',
        content: [said('What is in this image?'), { ...shown(red), detail: 'auto' }],
      },
    ].map((item) => ['string', { ...item, status: 'completed' }]),
  );
});

for (const [what, input] of [
  ['an image', [picture(red)]],
  ['two images', [picture(red), { role: 'assistant', content: usual }, picture(blue)]],
] as const) {
  test(`POST /v1/responses/input_tokens counts ${what} exactly as usage does`, async () => {
    const counted = await postTo(running.url, '/v1/responses/input_tokens', { input });
    const { body } = await create({ max_output_tokens: 1 }, input);
    assert.deepEqual(counted.body, {
      object: 'response.input_tokens',
      input_tokens: body.usage.input_tokens,
    });
  });
}
