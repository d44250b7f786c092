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
  let values = 0;
  const fits = (value: unknown, depth: number): boolean => {
    values += 1;
    if (values > MAX_SCHEMA_VALUES || depth > MAX_SCHEMA_DEPTH) return false;
    if (typeof value !== 'object' || value === null) return true;
    return Object.values(value).every((inner) => fits(inner, depth + 1));
  };
  return fits(schema, 0);
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
