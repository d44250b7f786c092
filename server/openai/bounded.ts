import { z } from 'zod';
import { LongText } from '../images/long-text.ts';
import { MAX_FIELDS, MAX_SCHEMA_DEPTH, MAX_SCHEMA_VALUES, MAX_TEXT_BYTES } from '../limits.ts';

/** An object of any fields, but not of any number of them. */
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

/** A JSON Schema. Its grammar is compiled by the runtime, which has limits of its own. */
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

/** The URL of an image, or its base64: a string, which may be too long to be one in memory. */
export const ImageText = z.custom<string | LongText>(
  (value) => typeof value === 'string' || value instanceof LongText,
  { error: 'a string' },
);

/** A text where an API has images too. */
export const DocumentText = ImageText.refine(({ length }) => length <= MAX_TEXT_BYTES, {
  error: `a text of at most ${MAX_TEXT_BYTES / 1e6} MB`,
}).transform(String);
