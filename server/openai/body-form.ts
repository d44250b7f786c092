import { InvalidRequestError } from './api-error.ts';

/** Deeper than any schema a person writes; a few thousand would be too deep for what reads it. */
const MAX_DEPTH = 100;

/**
 * Refuses what no field of a body may be: nested too deeply to be worked on, or text that is not
 * well-formed Unicode, which cannot be sent on.
 * @throws InvalidRequestError
 */
export function checkForm(body: unknown): void {
  let level: unknown[] = [body];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > MAX_DEPTH) {
      throw new InvalidRequestError(`Expected a body nested at most ${MAX_DEPTH} levels deep.`);
    }
    level = level.flatMap((value) => {
      if (typeof value === 'string' && !value.isWellFormed()) throw malformed(body);
      if (typeof value !== 'object' || value === null) return [];
      return Array.isArray(value) ? value : Object.entries(value).flat();
    });
  }
}

function malformed(body: unknown): InvalidRequestError {
  const [path, text] = findMalformed(body, []) ?? [[], ''];
  const field = path.join('.');
  const got = text.length <= 40 ? JSON.stringify(text) : `a string of ${text.length} characters`;
  return new InvalidRequestError(
    `Expected \`${field}\` to be well-formed Unicode, without lone surrogates, got ${got}.`,
    { param: field.toWellFormed() },
  );
}

/** Looked for only once it is known to be there, and not too deep. */
function findMalformed(value: unknown, path: string[]): [string[], string] | undefined {
  if (typeof value === 'string') return value.isWellFormed() ? undefined : [path, value];
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const found = findMalformed(inner, [...path, key]);
    if (found !== undefined) return found;
    if (!key.isWellFormed()) return [[...path, key], key];
  }
  return undefined;
}
