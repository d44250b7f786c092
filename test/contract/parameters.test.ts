import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compatibilityOf } from '../../scripts/compatibility-table.ts';
import { ChatCompletionRequest } from '../../server/apis/chat/request.ts';
import { MessagesRequest } from '../../server/apis/messages/request.ts';
import { ResponsesRequest } from '../../server/apis/responses/request.ts';

import {
  type Answer,
  endless,
  post,
  question,
  stream,
  textOf,
  userMessage,
} from '../support/chat.ts';
import { BABBLED, CONTEXT, image, useParameters, usual } from './parameter-requests.ts';

const { ask, babble, count, textAt, tokensOf, url } = useParameters();

/** The parts of an answer that are the same for every request. */
function essence({ status, body }: Answer) {
  const { id, created, usage, ...rest } = body;
  return { status, ...rest };
}

test('top_p 0 always picks the most likely token', async () => {
  const greedy = textOf(await count({ temperature: 0, max_tokens: 12 }));
  assert.equal(textOf(await count({ temperature: 2, top_p: 0, max_tokens: 12 })), greedy);
});

test('a seed and its negative give different answers, and so do two large neighbours', async () => {
  const at = async (seed: string) => {
    const messages = [userMessage('Count to one hundred.', image)];
    const body = JSON.stringify({ messages, temperature: 2, max_tokens: 12, seed: 'SEED' }).replace(
      '"SEED"',
      seed,
    );
    return textOf(await post(url(), body));
  };
  for (const [one, other] of [
    ['7', '-7'],
    ['9223372036854775807', '9223372036854775806'],
    ['9223372036854776000', '-9223372036854775808'],
  ] as const) {
    const [first, again, different] = [await at(one), await at(one), await at(other)];
    assert.equal(again, first);
    assert.notEqual(different, first);
  }
});

test('an answer without a limit may use the rest of the context', async () => {
  const { body } = await post(url(), { ...endless(image), max_tokens: null });
  const { total_tokens } = body.usage;
  assert.deepEqual([body.choices[0].finish_reason, total_tokens], ['length', CONTEXT]);
});

test('parameters without effect are accepted and change nothing', async () => {
  const plain = essence(await ask({ temperature: 0 }));
  const given = {
    user: 'me',
    safety_identifier: 'me',
    store: true,
    metadata: { a: 'b' },
    service_tier: 'auto',
    prediction: { type: 'content', content: usual },
    prompt_cache_key: 'k',
    prompt_cache_options: { ttl: '30m' },
    prompt_cache_retention: '24h',
  };
  const listed = compatibilityOf(ChatCompletionRequest)
    .filter(([, { effect }]) => effect === 'no effect')
    .map(([name]) => name);
  assert.deepEqual(Object.keys(given), listed);
  assert.deepEqual(essence(await ask({ temperature: 0, ...given })), plain);
});

const paths: [string, string, Parameters<typeof compatibilityOf>[0], object][] = [
  ['chat completions', 'chat/completions', ChatCompletionRequest, question(image)],
  ['Responses', 'responses', ResponsesRequest, { input: 'Hello' }],
  [
    'Messages',
    'messages',
    MessagesRequest,
    { messages: [{ role: 'user', content: 'Hi' }], max_tokens: 1 },
  ],
];
// audio, functions, function_call, moderation, web_search_options; access_programs,
// context_management, conversation, image, prompt; container, mcp_servers
for (const [api, path, schema, body] of paths) {
  for (const [name, { effect, note, test: file }] of compatibilityOf(schema)) {
    if (effect !== 'refused' || file.includes('other-servers')) continue;
    test(`${name} is refused by name in ${api}, with the reason`, async () => {
      const response = await fetch(`${url()}/v1/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...body, [name]: { some: 'value' } }),
      });
      const { error } = (await response.json()) as { error: { message: string } };
      assert.equal(response.status, 400);
      assert.equal(error.message, `\`${name}\` must be left out: ${note} (got an object).`);
    });
  }
}

// Of Responses, whose own are in responses.test.ts: max_tool_calls
test('parameters of Responses and Messages without effect are accepted', async () => {
  const input = [
    { role: 'user', content: [{ type: 'input_image', image_url: image }] },
    { role: 'user', content: 'What is in this image?' },
  ];
  const given = { max_tool_calls: 1, user: 'me', safety_identifier: 'me', service_tier: 'auto' };
  const hints = {
    prompt_cache_key: 'k',
    prompt_cache_options: {},
    prompt_cache_retention: 'in_memory',
  };
  const post = (path: string, body: object) =>
    fetch(`${url()}/v1/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  assert.equal((await post('responses', { input, ...given, ...hints })).status, 200);
  const source = { type: 'url', url: image };
  const messages = [{ role: 'user', content: [{ type: 'image', source }] }];
  const anthropics = {
    metadata: { user_id: 'me' },
    service_tier: 'auto',
    speed: 'fast',
    inference_geo: 'eu',
    diagnostics: {},
    cache_control: { type: 'ephemeral' },
    user_profile_id: 'me',
    workspace_id: 'w',
  };
  const response = await post('messages', { messages, max_tokens: 5, ...anthropics });
  assert.equal(response.status, 200);
});

test('any model name is accepted and returned', async () => {
  assert.equal((await ask({ model: 'gpt-9' })).body.model, 'gpt-9');
  assert.equal((await ask({})).body.model, 'demo');
});

test('max_completion_tokens and max_tokens truncate the answer, and finish_reason reports it', async () => {
  for (const limit of ['max_completion_tokens', 'max_tokens']) {
    const { body } = await ask({ [limit]: 3 });
    assert.equal(body.choices[0].message.content, 'A red circle');
    assert.equal(body.choices[0].finish_reason, 'length');
  }
});

test('max_tokens with a different max_completion_tokens is refused', async () => {
  const { status, body } = await ask({ max_completion_tokens: 3, max_tokens: 4 });
  assert.deepEqual([status, body.error.param], [400, 'max_tokens']);
});

test('n returns that many answers, with their tokens added up and the prompt counted once', async () => {
  const one = await tokensOf({ seed: 7, temperature: 2 });
  const { body } = await babble({ n: 3, seed: 11, temperature: 2 });
  const contents = body.choices.map((choice: { message: { content: string } }) =>
    String(choice.message.content),
  );
  assert.equal(new Set(contents).size, 3);
  assert.deepEqual(
    body.choices.map(({ index }: { index: number }) => index),
    [0, 1, 2],
  );
  assert.equal(body.usage.completion_tokens, 3 * BABBLED);
  assert.ok(body.usage.prompt_tokens < one.prompt * 2);
});

test('the n answers of a stream follow one another, each with its index and finish reason', async () => {
  const order: [number, string][] = [];
  for await (const event of stream(url(), question(image, { n: 2 }))) {
    if (event === '[DONE]') break;
    const { index, finish_reason } = JSON.parse(event).choices[0];
    if (finish_reason !== null) order.push([index, finish_reason]);
  }
  assert.deepEqual(order, [
    [0, 'stop'],
    [1, 'stop'],
  ]);
});

test('with n and no temperature, the answers differ', async () => {
  const { body } = await babble({ n: 2, seed: 3 });
  const contents = body.choices.map((choice: { message: object }) =>
    JSON.stringify(choice.message),
  );
  assert.ok(new Set(contents).size > 1);
});

test('the same seed repeats an answer, and another seed changes it', async () => {
  const at = async (seed: number) => textOf(await count({ seed, temperature: 2, max_tokens: 12 }));
  const [first, again, other] = [await at(5), await at(5), await at(6)];
  assert.equal(first, again);
  assert.notEqual(first, other);
});

test('answers differ at any temperature, however small or large', async () => {
  const answers = await Promise.all(
    [1, 2, 3].map(async () => textOf(await count({ temperature: 2, max_tokens: 20 }))),
  );
  assert.ok(new Set(answers).size > 1);
  assert.equal(await textAt({ temperature: 1e-300 }), usual);
});

// Each leaves only the most likely token, like temperature 0.
for (const only of [
  { top_k: 1 },
  { top_p: 1e-6 },
  { min_p: 1 },
  { top_n_sigma: 1e-3 },
  { typical_p: 1e-6, top_k: 1 },
  { p_less: true, top_k: 1 },
]) {
  test(`${Object.keys(only)[0]} limits sampling`, async () => {
    const greedy = textOf(await count({ temperature: 0, max_tokens: 12 }));
    assert.equal(textOf(await count({ temperature: 2, max_tokens: 12, ...only })), greedy);
  });
}

for (const penalty of [
  { presence_penalty: 2 },
  { frequency_penalty: 2 },
  { repetition_penalty: 10 },
]) {
  test(`${Object.keys(penalty)[0]} reduces repetition`, async () => {
    const plain = textOf(await babble({ temperature: 0 }));
    assert.notEqual(textOf(await babble({ temperature: 0, ...penalty })), plain);
  });
}

for (const [penalty, context] of [
  [{ presence_penalty: 2 }, 'presence_context_size'],
  [{ frequency_penalty: 2 }, 'frequency_context_size'],
  [{ repetition_penalty: 10 }, 'repetition_context_size'],
] as const) {
  test(`${context} limits how far back the penalty looks`, async () => {
    const far = textOf(await babble({ temperature: 0, ...penalty }));
    assert.notEqual(textOf(await babble({ temperature: 0, ...penalty, [context]: 1 })), far);
  });
}

test('logit_bias forbids a token', async () => {
  const { body } = await ask({ logprobs: true, temperature: 0 });
  const { token } = body.choices[0].logprobs.content[1];
  assert.equal(token, ' red');
  const ids = Array.from({ length: 1024 }, (_, id) => id);
  const none = Object.fromEntries(ids.slice(0, 900).map((id) => [id, -100]));
  assert.notEqual(await textAt({ temperature: 0, logit_bias: none, max_tokens: 8 }), usual);
});

test('logprobs and top_logprobs cover every token of the answer', async () => {
  const { body } = await ask({ logprobs: true, top_logprobs: 2, temperature: 1 });
  const { content } = body.choices[0].logprobs;
  const tokens = content.map(({ token }: { token: string }) => token);
  assert.equal(tokens.join(''), body.choices[0].message.content);
  for (const { logprob, top_logprobs, bytes } of content) {
    assert.ok(logprob <= 0);
    assert.equal(top_logprobs.length, 2);
    assert.ok(Array.isArray(bytes));
  }
});

test('top_logprobs without logprobs is refused', async () => {
  const { status, body } = await ask({ top_logprobs: 2 });
  assert.deepEqual([status, body.error.param], [400, 'top_logprobs']);
});

test('stream_options include_usage adds the usage', async () => {
  const usages = [];
  const asked = question(image, { stream_options: { include_usage: true } });
  for await (const event of stream(url(), asked)) {
    if (event !== '[DONE]') usages.push(JSON.parse(event).usage);
  }
  assert.equal(usages.filter((usage) => usage !== null).length, 1);
  assert.ok(usages.at(-1).total_tokens > 0);
});

test('min_pixels and max_pixels change the number of image tokens', async () => {
  const prompt = async (extra: object) => (await tokensOf({ max_tokens: 1, ...extra })).prompt;
  const plain = await prompt({});
  assert.ok((await prompt({ max_pixels: 3136, min_pixels: 1 })) < plain);
  assert.ok((await prompt({ max_pixels: 50_000, min_pixels: 40_000 })) > plain);
});

test('resize_shape is accepted with one side or two', async () => {
  for (const resize_shape of [[64], [64, 128]]) {
    assert.equal((await ask({ resize_shape, max_tokens: 1 })).status, 200);
  }
});

test('min_pixels, max_pixels and resize_shape beyond the image limit are refused', async () => {
  const limit = 4_194_304;
  for (const [name, value, got] of [
    ['min_pixels', limit + 1, limit + 1],
    ['max_pixels', limit + 1, limit + 1],
    ['resize_shape', [4096, 4096], 4096 * 4096],
    ['resize_shape', [4096], 4096 * 4096],
  ] as const) {
    const { status, body } = await ask({ [name]: value });
    assert.deepEqual([status, body.error.param], [400, name]);
    assert.match(body.error.message, new RegExp(`at most ${limit} pixels \\(got ${got}\\)`));
  }
});

test('tools are accepted with every tool_choice', async () => {
  const tool = { type: 'function', function: { name: 'look', parameters: { type: 'object' } } };
  for (const tool_choice of [undefined, 'none', 'auto', 'required']) {
    const asked = { tools: [tool], tool_choice, parallel_tool_calls: false, max_tokens: 20 };
    const { status } = await ask(asked);
    assert.equal(status, 200);
  }
});

test('a tool_choice that names an unknown function is refused', async () => {
  const tool = { type: 'function', function: { name: 'look' } };
  const choice = { type: 'function', function: { name: 'listen' } };
  for (const [tools, tool_choice] of [
    [[tool], choice],
    [[], 'required'],
    [[tool], { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [choice] } }],
  ]) {
    const { status, body } = await ask({ tools, tool_choice });
    assert.deepEqual([status, body.error.param], [400, 'tool_choice']);
  }
});

test('a model that does not think accepts the parameters for thinking', async () => {
  const { status } = await ask({
    reasoning_effort: 'low',
    enable_thinking: true,
    thinking_budget: 10,
    thinking_start_token: '<think>',
    thinking_end_token: '</think>',
  });
  assert.equal(status, 200);
});

test('modalities other than text are refused', async () => {
  assert.equal((await ask({ modalities: ['text'] })).status, 200);
  const { status, body } = await ask({ modalities: ['text', 'audio'] });
  assert.deepEqual([status, body.error.param.split('.')[0]], [400, 'modalities']);
});
