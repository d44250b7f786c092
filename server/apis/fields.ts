import { z } from 'zod';
import { LongText } from '../images/long-text.ts';
import { MAX_FIELDS, MAX_SCHEMA_DEPTH, MAX_SCHEMA_VALUES, MAX_TEXT_BYTES } from '../limits.ts';

/** An object with any fields, but a limited number of them. */
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

/** A JSON Schema. The runtime compiles it to a grammar, with limits of its own. */
export const JsonSchema = JsonObject.refine(isSmallSchema, {
  error: `a schema of at most ${MAX_SCHEMA_VALUES} values and ${MAX_SCHEMA_DEPTH} levels`,
});

function isSmallSchema(schema: unknown): boolean {
  const { values, levels } = measure(schema);
  return values <= MAX_SCHEMA_VALUES && levels <= MAX_SCHEMA_DEPTH;
}

/** Nothing is counted beyond these: a schema may come as a text, which nothing has limited yet. */
const MOST = { values: 1_000_000, levels: 1000 };

/** How many values there are in a JSON value, itself included, and how many levels below it. */
export function measure(json: unknown): { values: number; levels: number } {
  let [values, levels] = [0, 0];
  const count = (value: unknown, depth: number) => {
    values += 1;
    levels = Math.max(levels, depth);
    if (typeof value !== 'object' || value === null) return;
    if (values >= MOST.values || depth >= MOST.levels) return;
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

/** A text in a place where an API also accepts images. */
export const DocumentText = ImageText.refine(({ length }) => length <= MAX_TEXT_BYTES, {
  error: `a text of at most ${MAX_TEXT_BYTES / 1e6} MB`,
}).transform(String);

/**
 * What happens to a parameter; `docs/openai-compatibility.md` is generated from these. The first
 * three are honoured, the fourth is ignored and reported, the last is refused by name.
 */
export interface Compatibility {
  /**
   * `gateway`: Sightglass honours it. `runtime`: mlx_vlm does, and gets it unchanged. `no effect`:
   * accepted, because it cannot change an answer here. `ignored`: it cannot
   * be honoured, and is reported to the client. `refused`: the request fails, and the error names it.
   */
  effect: 'gateway' | 'runtime' | 'no effect' | 'ignored' | 'refused';
  note?: string;
  /** The file that tests it. */
  test: string;
}

const contract = 'test/contract/parameters.test.ts';
/** Where the table of other servers' parameters is tested. */
const others = 'test/contract/other-servers.test.ts';

/** A parameter that Sightglass itself honours. Null means not given, in OpenAI's API and here. */
export function gateway<Schema extends z.ZodType>(schema: Schema, note: string, test = contract) {
  return schema.nullish().meta({ effect: 'gateway', note, test } satisfies Compatibility);
}

/** A parameter that the runtime gets unchanged. */
export function runtime<Schema extends z.ZodType>(schema: Schema, note = '', test = contract) {
  return schema.nullish().meta({ effect: 'runtime', note, test } satisfies Compatibility);
}

/** A parameter of the API itself that makes no difference for a local model. */
export function noEffect<Schema extends z.ZodType>(schema: Schema, note: string) {
  return schema
    .nullish()
    .meta({ effect: 'no effect', note, test: contract } satisfies Compatibility);
}

/**
 * A parameter that is ignored whatever its value, and reported. `unless` are values that ask for
 * what happens anyway: those are not worth a report.
 */
export function ignored(note: string, unless?: z.ZodType) {
  const schema = unless === undefined ? dropped : z.union([unless, dropped]);
  return schema.nullish().meta({ effect: 'ignored', note, test: others } satisfies Compatibility);
}

/** Accepts any value and drops it, which is how `findIgnored` knows that it was ignored. */
export const dropped = z.unknown().transform(() => undefined);

/** A field of the API that clients repeat from our own answers: accepted, and not kept. */
export const repeated = z
  .unknown()
  .transform(() => null)
  .optional();

/**
 * A parameter that would change the answer in an unsupported way; `why` goes into the error. Values
 * for which `unless` holds ask for nothing and are accepted.
 */
export function refused(
  why: string,
  {
    unless = () => false,
    ignores = () => false,
    test = contract,
  }: {
    unless?: (value: unknown) => boolean;
    /** Values that cannot be honoured either, but without which the answer is the same. */
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

/** As `refused`, of other servers' parameters. */
export function refusedOfOthers(why: string, unless?: (value: unknown) => boolean) {
  return refused(why, { test: others, ...(unless === undefined ? {} : { unless }) });
}

/** As `gateway`, of other servers' parameters. */
export function spelling<Schema extends z.ZodType>(schema: Schema, note: string) {
  return gateway(schema, note, others);
}

/** The parameters of a request's schema that the runtime gets unchanged. */
export function runtimeParameters(schema: z.ZodObject): readonly string[] {
  return Object.entries(schema.shape)
    .filter(([, parameter]) => (parameter as z.ZodType).meta()?.['effect'] === 'runtime')
    .map(([name]) => name);
}

/** Those of `names` that `request` gives. */
export function pick(request: object, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(request).filter(([name, value]) => names.includes(name) && value != null),
  );
}
