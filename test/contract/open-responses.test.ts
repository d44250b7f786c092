import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventsOf, postTo } from '../support/api.ts';
import { openResponsesErrors } from '../support/openapi/validate.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { type RunningService, startService, startStubService } from '../support/service.ts';

let running: RunningService;
const image = toDataUrl(await drawShape({ shape: 'heart', color: 'red' }), 'image/png');
before(async () => {
  running = await startService({ allowTextOnly: true });
});
after(() => running.stop());

const ask = (content: unknown, role = 'user') => ({ type: 'message', role, content });
const seen = ask([
  { type: 'input_text', text: 'What is in this image?' },
  { type: 'input_image', image_url: image },
]);
const weather = {
  type: 'function',
  name: 'get_weather',
  description: 'The weather of a place.',
  parameters: {
    type: 'object',
    properties: { place: { type: 'string', maxLength: 20 } },
    required: ['place'],
  },
};
const named = { type: 'function', name: 'get_weather' };
const schema = { type: 'object', properties: { color: { enum: ['red', 'blue'] } } };
const called = { type: 'function_call', call_id: 'call_1', name: 'get_weather', arguments: '{}' };
const result = { type: 'function_call_output', call_id: 'call_1', output: 'Rain.', status: null };

const short = { max_output_tokens: 60 };

/** The requests of the specification's test runner, and other contents of a response. */
const requests: Record<string, { input: string | object[]; [option: string]: unknown }> = {
  'a text': { input: [ask('Say hello.')], max_output_tokens: 20 },
  'a string': { input: 'Say hello.', max_output_tokens: 20 },
  'a system prompt': { input: [ask('Be brief.', 'system'), seen] },
  instructions: { input: [seen], instructions: 'Be brief.' },
  'an image': { input: [seen] },
  'several turns': { input: [seen, ask('A red heart.', 'assistant'), ask('What color is it?')] },
  'a call of a tool': { input: [seen], tools: [weather], tool_choice: 'required', ...short },
  'a call by name': {
    input: [seen],
    tools: [
      { ...weather, strict: true },
      { type: 'function', name: 'other' },
    ],
    tool_choice: named,
    ...short,
  },
  'allowed tools': {
    input: [seen],
    tools: [weather],
    tool_choice: { type: 'allowed_tools', tools: [named] },
    ...short,
  },
  'allowed tools that may not be called': {
    input: [seen],
    tools: [weather],
    tool_choice: { type: 'allowed_tools', mode: 'none', tools: [named] },
  },
  'the result of a call': { input: [seen, called, result], tools: [weather] },
  'a JSON object': { input: [seen], text: { format: { type: 'json_object' } }, ...short },
  'a JSON schema': {
    input: [seen],
    text: { format: { type: 'json_schema', name: 'color', schema, strict: true } },
  },
  logprobs: { input: [seen], include: ['message.output_text.logprobs'], top_logprobs: 2 },
  'an answer that is cut': { input: [seen], max_output_tokens: 2 },
  'a call that is cut': {
    input: [seen],
    tools: [weather],
    tool_choice: 'required',
    max_output_tokens: 3,
  },
  'every option': {
    input: [seen],
    metadata: { a: 'b' },
    temperature: 0.5,
    top_p: 0.9,
    parallel_tool_calls: false,
    max_tool_calls: 2,
    reasoning: { effort: 'low' },
    safety_identifier: 's',
    prompt_cache_key: 'p',
    truncation: 'auto',
    service_tier: 'auto',
  },
  'nothing given': {
    input: [seen],
    ...{ model: null, previous_response_id: null, tools: null, tool_choice: null, metadata: null },
    ...{ text: null, temperature: null, top_p: null, parallel_tool_calls: null, reasoning: null },
    ...{ max_output_tokens: null, instructions: null, top_logprobs: null, stream_options: null },
  },
};

for (const [what, body] of Object.entries(requests)) {
  test(`a response fits Open Responses, whole, in every event, and in the items of the next one: ${what}`, async () => {
    const whole = await postTo(running.url, '/v1/responses', body);
    assert.equal(whole.status, 200, JSON.stringify(whole.body));
    assert.deepEqual(openResponsesErrors('Response', whole.body), []);
    const events = await eventsOf(running.url, '/v1/responses', body);
    for (const [index, { event, data }] of events.entries()) {
      assert.deepEqual(openResponsesErrors('StreamingEvent', data), [], JSON.stringify(data));
      assert.deepEqual([event, index], [data.type, data.sequence_number]);
    }
    assert.equal(events.at(-1)?.data.response.status, whole.body.status);

    const own = typeof body.input === 'string' ? [ask(body.input)] : body.input;
    const input = [...own, ...whole.body.output, ask('Go on.')];
    const { body: next } = await postTo(running.url, '/v1/responses', {
      ...{ input, max_output_tokens: 2 },
    });
    const listed = await fetch(`${running.url}/v1/responses/${next.id}/input_items`);
    const { data } = (await listed.json()) as { data: object[] };
    assert.equal(data.length, input.length);
    for (const item of data) assert.deepEqual(openResponsesErrors('Item', item), []);
  });
}

test('a call is streamed with all of its Open Responses events', async () => {
  const body = { input: [seen], tools: [weather], tool_choice: 'required' };
  const events = await eventsOf(running.url, '/v1/responses', body);
  const types = events.map(({ data }) => `${data.type} ${data.item?.type ?? ''}`.trim());
  assert.deepEqual(
    types.filter((type, at) => type !== types[at - 1]),
    [
      'response.created',
      'response.in_progress',
      'response.output_item.added function_call',
      'response.function_call_arguments.delta',
      'response.function_call_arguments.done',
      'response.output_item.done function_call',
      'response.completed',
    ],
  );
});

test('an item_reference may lack its type', async () => {
  const { body } = await postTo(running.url, '/v1/responses', { input: [seen] });
  const { id } = body.output[0];
  for (const reference of [{ id }, { id, type: null }]) {
    const input = [seen, reference, ask('What color is it?')];
    assert.equal((await postTo(running.url, '/v1/responses', { input })).status, 200);
  }
});

test('a thought and a failure fit Open Responses in every event', async (t) => {
  const { url, stubs } = await startStubService(t);
  const stub = await stubs.at(0);
  for (const [at, ending] of ['response.completed', 'error'].entries()) {
    const { promise: sent, resolve } = Promise.withResolvers<void>();
    const asked = eventsOf(url, '/v1/responses', { input: 'Hi' }, ({ event }) => {
      if (event === 'response.output_text.delta') resolve();
    });
    const { id } = await stub.requests.at(at);
    const thought = { choices: [{ delta: { reasoning: 'Hm.' }, finish_reason: null }] };
    stub.command({ do: 'send', id, data: thought });
    stub.send(id, 'Hello.');
    await sent;
    if (ending === 'error') stub.fail(id, 'it broke');
    else stub.finish(id);
    const events = await asked;
    for (const { data } of events) {
      assert.deepEqual(openResponsesErrors('StreamingEvent', data), [], JSON.stringify(data));
    }
    const types = events.map(({ data }) => data.type);
    assert.ok(types.includes('response.reasoning_text.done'));
    assert.equal(types.at(-1), ending);
  }
});
