import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import pMap from 'p-map';
import { post, question } from '../chat.ts';
import { drawShape, toDataUrl } from '../pictures.ts';

// Schemas as pydantic, zod 4, MCP servers and JSON Schema's documentation write them.

interface FieldSchema {
  name: string;
  schema: Record<string, unknown>;
  /** Allows a value without end. */
  open?: boolean;
  /** The keywords that llguidance cannot enforce. */
  ignored?: string[];
}

const file = new URL('field-schemas.json', import.meta.url);
export const schemas: readonly FieldSchema[] = JSON.parse(readFileSync(file, 'utf8'));
const image = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');

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

/** What is wrong with the generated JSON, or an empty string. */
function judge(field: FieldSchema, text: string, isCut: boolean): string {
  if (isCut) return field.open ? '' : `cut: ${text}`;
  return fits(field, JSON.parse(text));
}

/** The ways to hold the model to a schema. Each returns what is wrong with the answer, or ''. */
type Way = (url: string, field: FieldSchema) => Promise<string>;

/** An open schema's answer need not end. */
const limitOf = ({ open }: FieldSchema) => ({ max_tokens: open ? 20 : 150 });

const asAnswer: Way = async (url, field) => {
  const json_schema = { name: 'answer', schema: field.schema };
  const format = { response_format: { type: 'json_schema', json_schema }, ...limitOf(field) };
  const { status, body } = await post(url, question(image, format));
  if (status !== 200) return body.error.message;
  const [choice] = body.choices;
  return judge(field, choice.message.content, choice.finish_reason === 'length');
};

const asCall =
  (tool_choice: unknown): Way =>
  async (url, field) => {
    const called = { name: 'report', parameters: field.schema };
    const tools = [{ type: 'function', function: called }];
    const extra = { tools, tool_choice, ...limitOf(field) };
    const { status, body } = await post(url, question(image, extra));
    if (status !== 200) return body.error.message;
    const [answer] = body.choices;
    const text = answer.message.tool_calls?.[0]?.function.arguments ?? '';
    const isCut = answer.finish_reason === 'length';
    if (!isCut && !text.startsWith('{')) return `arguments are ${text}`;
    return judge(field, text, isCut);
  };

export const ways: Readonly<Record<string, Way>> = {
  'an answer held to': asAnswer,
  'a required call with parameters of': asCall('required'),
  'a call by name with parameters of': asCall({ type: 'function', function: { name: 'report' } }),
};

/** Tries the schemas in this way, four at a time, and collects what went wrong. */
export async function problems(
  url: string,
  ask: Way,
  fields: readonly FieldSchema[],
): Promise<string[]> {
  const found = await pMap(fields, async (field) => ({ field, problem: await ask(url, field) }), {
    concurrency: 4,
  });
  return found
    .filter(({ problem }) => problem !== '')
    .map(({ field, problem }) => `${field.name}: ${problem}`);
}
