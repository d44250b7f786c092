import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { prepareSchema } from '../../server/generation/schema.ts';
import { postTo } from '../support/api.ts';
import { post, question } from '../support/chat.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { type RunningService, startService } from '../support/service.ts';

// Schemas as pydantic, zod 4, MCP servers and JSON Schema's documentation write them. `open` ones
// allow a value without end; `ignored` are the keywords that llguidance cannot enforce.

interface FieldSchema {
  name: string;
  schema: Record<string, unknown>;
  open?: boolean;
  ignored?: string[];
}

const file = new URL('../support/schemas/field-schemas.json', import.meta.url);
const schemas: FieldSchema[] = JSON.parse(readFileSync(file, 'utf8'));
const image = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
let running: RunningService;
before(async () => {
  running = await startService({ maxConcurrency: 4 });
});
after(() => running.stop());

/** The client's schema without the keywords that are reported as ignored. */
function enforced({ schema, ignored = [] }: FieldSchema): Record<string, unknown> {
  const copy = structuredClone(schema);
  for (const path of ignored) {
    const steps = path.split('.');
    const keyword = steps.pop() ?? '';
    // biome-ignore lint/suspicious/noExplicitAny: a path through a schema
    const node = steps.reduce<any>((inner, step) => inner[step], copy);
    if (keyword === 'oneOf') node.anyOf = node.oneOf;
    delete node[keyword];
  }
  return copy;
}

function fits(field: FieldSchema, value: unknown): string {
  const { $schema, ...schema } = enforced(field);
  const isOld = String($schema).includes('draft-0');
  const ajv = new (isOld ? Ajv : Ajv2020)({ strict: false, allErrors: true });
  (formats as unknown as (of: object) => void)(ajv);
  if (String($schema).includes('draft-04')) return '';
  const validate = ajv.compile(schema);
  return validate(value) ? '' : `${JSON.stringify(value)}: ${ajv.errorsText(validate.errors)}`;
}

/** Asks for each schema, four at a time, and collects what went wrong. */
async function problems(ask: (field: FieldSchema) => Promise<string>): Promise<string[]> {
  const waiting = [...schemas];
  const found: string[] = [];
  const work = async () => {
    for (let field = waiting.shift(); field !== undefined; field = waiting.shift()) {
      const problem = await ask(field);
      if (problem !== '') found.push(`${field.name}: ${problem}`);
    }
  };
  await Promise.all([work(), work(), work(), work()]);
  return found;
}

function judge(field: FieldSchema, text: string, isCut: boolean): string {
  if (isCut) return field.open ? '' : `cut: ${text}`;
  return fits(field, JSON.parse(text));
}

for (const field of schemas) {
  test(`keywords that are not enforced are reported: ${field.name}`, () => {
    const { ignored } = prepareSchema(field.schema, { path: 's', param: 's', strict: false });
    const expected = (field.ignored ?? []).map((path) => `s.${path}`);
    assert.deepEqual([...ignored].sort(), expected.sort());
  });
}

test('an answer held to any of them fits it and ends', async () => {
  const found = await problems(async (field) => {
    const json_schema = { name: 'answer', schema: field.schema };
    const format = { response_format: { type: 'json_schema', json_schema }, max_tokens: 120 };
    const { status, body } = await post(running.url, question(image, format));
    if (status !== 200) return body.error.message;
    const [choice] = body.choices;
    return judge(field, choice.message.content, choice.finish_reason === 'length');
  });
  assert.deepEqual(found, []);
});

for (const by of ['required', 'name'] as const) {
  test(`a call by ${by} with any of them as parameters fits it and ends`, async () => {
    const found = await problems(async (field) => {
      const called = { name: 'report', parameters: field.schema };
      const named = { type: 'function', function: { name: 'report' } };
      const tools = [{ type: 'function', function: called }];
      const choice = by === 'required' ? 'required' : named;
      const extra = { tools, tool_choice: choice, max_tokens: 150 };
      const { status, body } = await post(running.url, question(image, extra));
      if (status !== 200) return body.error.message;
      const [answer] = body.choices;
      const text = answer.message.tool_calls?.[0]?.function.arguments ?? '';
      const isCut = answer.finish_reason === 'length';
      if (!isCut && !text.startsWith('{')) return `arguments are ${text}`;
      return judge(field, text, isCut);
    });
    assert.deepEqual(found, []);
  });
}

test('as tools the model may call, none of them is refused by any API', async () => {
  const source = { type: 'url', url: image };
  const content = [{ type: 'image', source }];
  const input = [{ role: 'user', content: [{ type: 'input_image', image_url: image }] }];
  const chat = schemas.map(({ schema }, at) => ({ name: `t${at}`, parameters: schema }));
  const statuses = await Promise.all([
    post(
      running.url,
      question(image, {
        tools: chat.map((called) => ({ type: 'function', function: called })),
        max_tokens: 1,
      }),
    ),
    postTo(running.url, '/v1/responses', {
      ...{ input, max_output_tokens: 1 },
      tools: chat.map((called) => ({ type: 'function', ...called })),
    }),
    postTo(running.url, '/v1/messages', {
      ...{ messages: [{ role: 'user', content }], max_tokens: 1 },
      tools: schemas.map(({ schema }, at) => ({ name: `t${at}`, input_schema: schema })),
    }),
  ]);
  // The demo model's context is too short for the text of all of them in some APIs.
  for (const { status, body } of statuses) {
    assert.ok(status === 200 || /context/.test(JSON.stringify(body)), JSON.stringify(body));
  }
});
