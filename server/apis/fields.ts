import { z } from 'zod';
import { MAX_FIELDS, MAX_SCHEMA_DEPTH, MAX_SCHEMA_VALUES, MAX_TEXT_BYTES } from '../limits.ts';
import { LongText } from '../long-text.ts';

/** An object with any fields, up to a limit. */
export function record<Key extends z.core.$ZodRecordKey, Value extends z.ZodType>(
  key: Key,
  value: Value,
) {
  return z
    .record(key, value)
    .refine((fields) => Object.keys(fields).length <= MAX_FIELDS, {
      error: `an object of at most ${MAX_FIELDS} fields`,
    })
    .meta({ maxFields: MAX_FIELDS });
}

export const JsonObject = record(z.string(), z.unknown());

/** The arguments of an earlier call: JSON text, or an object as Ollama's clients send it. */
export const CallArguments = z.union([
  z.string(),
  JsonObject.transform((fields) => JSON.stringify(fields)),
]);

/** A JSON Schema. The runtime has additional limits when it compiles the schema to a grammar. */
export const JsonSchema = JsonObject.refine(isSmallSchema, {
  error: `a schema of at most ${MAX_SCHEMA_VALUES} values and ${MAX_SCHEMA_DEPTH} levels`,
  abort: true,
}).overwrite((schema) => withLowerCaseTypes(schema) as Record<string, unknown>);

const TYPES = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'];
/** Keywords whose values are data. */
const DATA_KEYWORDS = ['enum', 'const', 'default', 'example', 'examples', 'required'];
/** Keywords whose values are schemas by name. */
const MAP_KEYWORDS = [
  'properties',
  'patternProperties',
  '$defs',
  'definitions',
  'dependentSchemas',
];

/** Gemini's clients write `OBJECT` for `object`. */
function withLowerCaseTypes(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withLowerCaseTypes);
  return mapObject(schema, (value, keyword) => {
    if (DATA_KEYWORDS.includes(keyword)) return value;
    if (keyword === 'type') return Array.isArray(value) ? value.map(toType) : toType(value);
    if (MAP_KEYWORDS.includes(keyword)) return mapObject(value, withLowerCaseTypes);
    return withLowerCaseTypes(value);
  });
}

function toType(type: unknown): unknown {
  const lower = typeof type === 'string' ? type.toLowerCase() : '';
  return TYPES.includes(lower) ? lower : type;
}

function mapObject(value: unknown, map: (value: unknown, name: string) => unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, map(inner, name)]));
}

function isSmallSchema(schema: unknown): boolean {
  const { values, levels } = measure(schema);
  return values <= MAX_SCHEMA_VALUES && levels <= MAX_SCHEMA_DEPTH;
}

/** Counting stops at these limits, since a schema that arrives as text has no limits yet. */
const COUNT_LIMITS = { values: 1_000_000, levels: 1000 };

/** The number of values in a JSON value, including itself, and of levels below it. */
export function measure(json: unknown): { values: number; levels: number } {
  let [values, levels] = [0, 0];
  const count = (value: unknown, depth: number) => {
    values += 1;
    levels = Math.max(levels, depth);
    if (typeof value !== 'object' || value === null) return;
    if (values >= COUNT_LIMITS.values || depth >= COUNT_LIMITS.levels) return;
    for (const inner of Object.values(value)) count(inner, depth + 1);
  };
  count(json, 0);
  return { values, levels };
}

/** An image's URL or base64. A long one is kept as bytes instead of a string. */
export const ImageText = z.custom<string | LongText>(
  (value) => typeof value === 'string' || value instanceof LongText,
  { error: 'a string' },
);

/** Text where an API also accepts images. */
export const DocumentText = ImageText.refine(({ length }) => length <= MAX_TEXT_BYTES, {
  error: `a text of at most ${MAX_TEXT_BYTES / 1e6} MB`,
}).transform(String);

/**
 * How a parameter is handled. `docs/openai-compatibility.md` is generated from this.
 */
export interface Compatibility {
  /**
   * `gateway`: implemented by Sightglass. `runtime`: forwarded to mlx_vlm unchanged. `no effect`:
   * accepted, because it makes no difference for a local model. `ignored`: not supported, and
   * reported to the client. `refused`: the request fails with an error that names it.
   */
  effect: 'gateway' | 'runtime' | 'no effect' | 'ignored' | 'refused';
  note?: string;
  /** The file with its test. */
  test: string;
}

const contract = 'test/contract/parameters.test.ts';
const others = 'test/contract/other-servers.test.ts';

/** A parameter that Sightglass implements. As in OpenAI's API, null means not set. */
export function gateway<Schema extends z.ZodType>(schema: Schema, note: string, test = contract) {
  return schema.nullish().meta({ effect: 'gateway', note, test } satisfies Compatibility);
}

/** A parameter that is forwarded to the runtime unchanged. */
export function runtime<Schema extends z.ZodType>(schema: Schema, note = '', test = contract) {
  return schema.nullish().meta({ effect: 'runtime', note, test } satisfies Compatibility);
}

/** A parameter that makes no difference for a local model. */
export function noEffect<Schema extends z.ZodType>(schema: Schema, note: string) {
  return schema
    .nullish()
    .meta({ effect: 'no effect', note, test: contract } satisfies Compatibility);
}

/**
 * A parameter that is ignored and reported. Values of the schema `unless` are not reported, because
 * they request the default behavior.
 */
export function ignored(note: string, unless?: z.ZodType) {
  const schema = unless === undefined ? dropped : z.union([unless, dropped]);
  return schema.nullish().meta({ effect: 'ignored', note, test: others } satisfies Compatibility);
}

/** Accepts any value and drops it, so that `findIgnored` reports it. */
export const dropped = z.unknown().transform(() => undefined);

/** A field that clients repeat from an earlier response. It is accepted and not kept. */
export const repeated = z
  .unknown()
  .transform(() => null)
  .optional();

/**
 * A parameter that would change the answer in an unsupported way. `why` appears in the error. Values
 * for which `unless` holds are accepted, because they request the default behavior.
 */
export function refused(
  why: string,
  {
    unless = () => false,
    ignores = () => false,
    test = contract,
  }: {
    unless?: (value: unknown) => boolean;
    /** Unsupported values that would not change the answer, so they are ignored and reported. */
    ignores?: (value: unknown) => boolean;
    test?: string;
  } = {},
) {
  const isAccepted = (value: unknown) => value === null || unless(value) || ignores(value);
  const schema = z
    .custom<unknown>(isAccepted, { error: `left out: ${why}` })
    .transform((value) => (ignores(value) ? undefined : value))
    .optional();
  return schema.meta({ effect: 'refused', note: why, test } satisfies Compatibility);
}

/** Like `refused`, for parameters of other servers. */
export function refusedOfOthers(why: string, unless?: (value: unknown) => boolean) {
  return refused(why, { test: others, ...(unless === undefined ? {} : { unless }) });
}

/** Like `gateway`, for parameters of other servers. */
export function alias<Schema extends z.ZodType>(schema: Schema, note: string) {
  return gateway(schema, note, others);
}
