import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import fc from 'fast-check';
import pMap from 'p-map';
import { post, question, textOf } from './chat.ts';
import { drawShape, toDataUrl } from './pictures.ts';

const redCircle = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');

const word = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom(
    '',
    '<|image_pad|>',
    '<|im_end|>',
    '\u0000',
    '💥',
    'data:image/png;base64,',
    '%s',
  ),
);
const json = fc.jsonValue({ maxDepth: 3 });
const number = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.constantFrom(0, -1, 1, 1e308, 2 ** 53, 0.5, null),
);
const image = fc.oneof(
  { weight: 5, arbitrary: fc.constant(redCircle) },
  { weight: 1, arbitrary: word.map((text) => `data:image/png;base64,${text}`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('file:///etc/passwd', 'http://127.0.0.1:1/x.png', '/etc/passwd'),
  },
  { weight: 1, arbitrary: word },
);
const part = fc.oneof(
  fc.record({ type: fc.constant('text'), text: word }),
  fc.record({ type: fc.constant('image_url'), image_url: fc.record({ url: image }) }),
  fc.record({ type: fc.constant('image_url'), image_url: fc.oneof(image, json) }),
);
const content = fc.oneof(word, fc.array(part, { minLength: 1, maxLength: 4 }), json);
const toolCall = fc.record({
  id: word,
  type: fc.constant('function'),
  function: fc.record({ name: word, arguments: fc.oneof(word, fc.json()) }),
});
const message = fc.oneof(
  fc.record({ role: fc.constant('user'), content }),
  fc.record({ role: fc.constantFrom('system', 'developer'), content }),
  fc.record(
    { role: fc.constant('assistant'), content, tool_calls: fc.array(toolCall, { maxLength: 2 }) },
    { requiredKeys: ['role'] },
  ),
  fc.record({ role: fc.constant('tool'), content, tool_call_id: word }),
  json,
);
const tool = fc.record({
  type: fc.constant('function'),
  function: fc.record({ name: fc.constantFrom('look', 'not a name'), parameters: json }),
});
const responseFormat = fc.oneof(
  fc.constantFrom({ type: 'text' }, { type: 'json_object' }),
  fc.record({
    type: fc.constant('json_schema'),
    json_schema: fc.record({ name: fc.constant('answer'), schema: json }),
  }),
);

/** Bodies with the schema's fields, but values both in and out of their ranges. */
const body = fc.record(
  {
    messages: fc.array(message, { maxLength: 4 }),
    model: fc.oneof(word, json),
    stream: fc.oneof(fc.boolean(), json),
    stream_options: fc.oneof(fc.constant({ include_usage: true }), json),
    max_tokens: fc.oneof(fc.integer({ min: 1, max: 5 }), number),
    temperature: fc.oneof(fc.double({ min: 0, max: 2, noNaN: true }), number),
    top_p: fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), number),
    presence_penalty: number,
    frequency_penalty: number,
    seed: number,
    stop: fc.oneof(word, fc.array(word, { maxLength: 5 }), json),
    n: number,
    logit_bias: fc.dictionary(fc.oneof(fc.nat(2000).map(String), word), number, { maxKeys: 3 }),
    logprobs: fc.oneof(fc.boolean(), json),
    top_logprobs: number,
    response_format: fc.oneof(responseFormat, json),
    tools: fc.array(fc.oneof(tool, json), { maxLength: 2 }),
    tool_choice: fc.oneof(fc.constantFrom('auto', 'none', 'required'), json),
    top_k: number,
    min_p: number,
    repetition_penalty: number,
    repetition_context_size: number,
    thinking_budget: number,
    enable_thinking: fc.boolean(),
    'x-unknown': json,
  },
  { requiredKeys: ['messages'] },
);
/** A valid question with one parameter from the schema, so that many get through to the model. */
const nearlyValid = fc.tuple(body, fc.nat()).map(([{ messages: _, ...parameters }, which]) => {
  const names = Object.keys(parameters) as (keyof typeof parameters)[];
  const name = names[which % Math.max(1, names.length)];
  const extra = name === undefined ? {} : { [name]: parameters[name] };
  return question(redCircle, { max_tokens: 4, ...extra });
});
/** Texts that are not, or barely, JSON. */
const garbage = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 50 }),
  fc.json().map((text) => text.slice(0, -1)),
  fc.constantFrom('', 'null', '[]', '"x"', '{"messages":', `${'['.repeat(20_000)}`),
);

/** Chat completion bodies that may or may not match the schema; the same seed returns the same bodies. */
export function hostileBodies(count: number, seed: number): unknown[] {
  return fc.sample(
    fc.oneof({ weight: 4, arbitrary: nearlyValid }, { weight: 5, arbitrary: body }, garbage),
    { numRuns: count, seed },
  );
}

/**
 * Sends a body and returns `answered`, `refused`, or what is wrong with the answer: a status other than
 * 200 or 4xx, an error that is not in OpenAI's form, or an incomplete stream.
 */
export async function outcomeOf(url: string, sent: unknown): Promise<string> {
  const text = typeof sent === 'string' ? sent : JSON.stringify(sent);
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: text,
  });
  const answer = await response.text();
  if (response.status === 200) {
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream');
    const whole = isStream
      ? answer.endsWith('data: [DONE]\n\n')
      : JSON.parse(answer).choices.length === ((sent as { n?: number | null }).n ?? 1);
    return whole ? 'answered' : `broken answer: ${answer.slice(-300)}`;
  }
  const { error, detail } = JSON.parse(answer);
  const wellFormed = typeof error.message === 'string' && error.message === detail;
  if (response.status < 400 || response.status >= 500 || !wellFormed) {
    return `${response.status} ${answer.slice(0, 500)}`;
  }
  return 'refused';
}

/** Sends this many generated bodies, 8 at a time. Asserts that each is answered or refused. */
export async function fuzz(t: TestContext, url: string, count: number): Promise<void> {
  const seen = { answered: 0, refused: 0 };
  const wrong: string[] = [];
  const send = async (sent: unknown) => {
    const outcome = await outcomeOf(url, sent);
    if (outcome === 'answered' || outcome === 'refused') seen[outcome] += 1;
    else wrong.push(`${outcome}\n  for ${JSON.stringify(sent).slice(0, 1000)}`);
  };
  await pMap(hostileBodies(count, 2026), send, { concurrency: 8 });
  t.diagnostic(`${seen.answered} answered, ${seen.refused} refused`);
  assert.deepEqual(wrong.slice(0, 5), []);
  assert.ok(seen.answered > count / 20, 'too few bodies reached the model to mean much');
  assert.equal(textOf(await post(url, question(redCircle))), 'A red circle on a white background.');
}
