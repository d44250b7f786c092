import type { z } from 'zod';
import { checkForm } from './body-form.ts';
import { toInvalidRequest } from './invalid-request.ts';

/**
 * Reads a body by its schema.
 * @throws InvalidRequestError that names the field and what was expected of it
 */
export function parseBody<Schema extends z.ZodType>(schema: Schema, body: unknown) {
  checkForm(body);
  const parsed = schema.safeParse(body);
  if (!parsed.success) throw toInvalidRequest(parsed.error, body);
  return parsed.data;
}
