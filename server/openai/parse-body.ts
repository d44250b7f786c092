import type { z } from 'zod';
import { toInvalidRequest } from './invalid-request.ts';
import { refuseDeepNesting } from './nesting.ts';

/**
 * Reads a body by its schema.
 * @throws InvalidRequestError that names the field and what was expected of it
 */
export function parseBody<Schema extends z.ZodType>(schema: Schema, body: unknown) {
  refuseDeepNesting(body);
  const parsed = schema.safeParse(body);
  if (!parsed.success) throw toInvalidRequest(parsed.error, body);
  return parsed.data;
}
