import { readFileSync } from 'node:fs';
import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';

/** The bodies that are checked against OpenAI's specification. */
export type SchemaName =
  | 'CreateChatCompletionRequest'
  | 'CreateChatCompletionResponse'
  | 'CreateChatCompletionStreamResponse'
  | 'CreateResponse'
  | 'Error'
  | 'ErrorResponse'
  | 'ListModelsResponse'
  | 'Model'
  | 'Response'
  | 'ResponseStreamEvent';

interface Schema {
  $ref?: string;
  type?: string;
  enum?: unknown[];
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  items?: Schema;
  allOf?: Schema[];
  anyOf?: Schema[];
  oneOf?: Schema[];
}

interface SchemaFile {
  $id: string;
  $defs: Record<string, Schema>;
}

/** The bodies that are checked against the Open Responses specification. */
type OpenResponsesName = 'Item' | 'Response' | 'StreamingEvent';

const read = (path: string): SchemaFile =>
  JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'));
const file = read('openai-schemas.json');
const openResponses = read('../open-responses/schemas.json');
const ajv = new Ajv2020({
  allErrors: true,
  discriminator: true,
  strictRequired: false,
  strictTypes: false,
});
formats.default(ajv);
ajv.addSchema([file, openResponses]);

/** The violations of OpenAI's schema in this body, one line each. */
export function schemaErrors(name: SchemaName, body: unknown): string[] {
  return errorsOf(file, name, body, (error) => isNullHere(error, body));
}

/** The violations of the Open Responses specification in this body. */
export function openResponsesErrors(name: OpenResponsesName, body: unknown): string[] {
  return errorsOf(openResponses, name, body, () => false);
}

function errorsOf(
  { $id }: SchemaFile,
  name: string,
  body: unknown,
  isFine: (error: ErrorObject) => boolean,
): string[] {
  const validate = ajv.getSchema(`${$id}#/$defs/${name}`);
  if (validate === undefined) throw new Error(`${$id} has no ${name}`);
  if (validate(body) === true) return [];
  const errors = (validate.errors ?? []).filter((error) => !isFine(error));
  const telling = errors.filter((error) => !isNoise(error, errors));
  return [...new Set((telling.length > 0 ? telling : errors).map(describe))];
}

/** Open Responses requires these as null, as OpenAI sends them; OpenAI's schema has no null for them. */
const NULLABLE =
  /^(?:\/response)?\/(prompt_cache_key|safety_identifier|user|usage|text\/format\/description)$/;

function isNullHere({ instancePath, keyword }: ErrorObject, body: unknown): boolean {
  const [, field] = NULLABLE.exec(instancePath) ?? [];
  if (field === undefined || keyword !== 'type') return false;
  const { response = body } = body as { response?: unknown };
  const value = field.split('/').reduce<unknown>((part, key) => Object(part)[key], response);
  return value === null;
}

/** "does not fit the union" and "is not null" say nothing beside why the real branch failed. */
function isNoise(error: ErrorObject, all: readonly ErrorObject[]): boolean {
  const isUnion = error.keyword === 'anyOf';
  const isNull = error.keyword === 'type' && error.params['type'] === 'null';
  if (!isUnion && !isNull) return false;
  return all.some((other) => {
    if (other === error || other.keyword === 'anyOf') return false;
    if (other.keyword === 'type' && other.params['type'] === 'null') return false;
    return other.instancePath === error.instancePath || isBelow(other, error);
  });
}

function isBelow(inner: ErrorObject, outer: ErrorObject): boolean {
  return inner.instancePath.startsWith(`${outer.instancePath}/`);
}

function describe(error: ErrorObject): string {
  const values = error.keyword === 'enum' ? ` (${error.params['allowedValues'].join(', ')})` : '';
  return `${error.instancePath || '/'} ${error.message ?? error.keyword}${values}`;
}

/** Paths of the fields that OpenAI's schema does not have; `allowed` names may be anywhere. */
export function unknownFields(
  name: SchemaName,
  body: unknown,
  allowed: readonly string[] = [],
): string[] {
  return unknownIn([{ $ref: `#/$defs/${name}` }], body, '', new Set(allowed));
}

function unknownIn(
  schemas: readonly Schema[],
  value: unknown,
  path: string,
  allowed: ReadonlySet<string>,
): string[] {
  const parts = schemas.flatMap((schema) => partsFor(schema, value));
  if (Array.isArray(value)) {
    const items = parts.flatMap((part) => part.items ?? []);
    return value.flatMap((item, index) => unknownIn(items, item, `${path}/${index}`, allowed));
  }
  if (
    !isRecord(value) ||
    parts.every((part) => part.properties === undefined && !part.additionalProperties)
  )
    return [];
  return Object.entries(value).flatMap(([key, field]) => {
    if (allowed.has(key)) return [];
    const here = `${path}/${key}`;
    const known = parts.flatMap((part) => part.properties?.[key] ?? []);
    const others = parts.flatMap((part) => part.additionalProperties || []);
    if (known.length > 0) return unknownIn(known, field, here, allowed);
    if (others.length === 0) return [here];
    return unknownIn(
      others.filter((other) => other !== true),
      field,
      here,
      allowed,
    );
  });
}

/** The schemas without unions that describe this value: those of the branches that it is of. */
function partsFor(schema: Schema, value: unknown): Schema[] {
  const target = schema.$ref === undefined ? [] : partsFor(resolve(schema.$ref), value);
  const branches = (schema.anyOf ?? schema.oneOf ?? []).map((branch) => partsFor(branch, value));
  const fitting = branches.filter((parts) => parts.every((part) => canBe(part, value)));
  const chosen = fitting.length > 0 ? fitting : branches;
  const all = (schema.allOf ?? []).flatMap((part) => partsFor(part, value));
  return [schema, ...target, ...all, ...chosen.flat()];
}

function resolve(ref: string): Schema {
  return file.$defs[ref.slice('#/$defs/'.length)] ?? {};
}

/** Whether a value is of the schema's kind, by its JSON type and by fields with set values. */
function canBe(schema: Schema, value: unknown): boolean {
  if (schema.type === 'array' && !Array.isArray(value)) return false;
  if (schema.type === 'object' && !isRecord(value)) return false;
  if (['string', 'boolean'].includes(schema.type ?? '')) return typeof value === schema.type;
  if (!isRecord(value)) return true;
  return Object.entries(schema.properties ?? {}).every(([key, { enum: values }]) => {
    return values === undefined || value[key] === undefined || values.includes(value[key]);
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
