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
