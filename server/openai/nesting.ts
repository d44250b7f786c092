import { InvalidRequestError } from './api-error.ts';

/** Deeper than any schema a person writes; a few thousand would be too deep for what reads it. */
const MAX_DEPTH = 100;

/** Refuses a body that is nested too deeply to be worked on. */
export function refuseDeepNesting(body: unknown): void {
  let level: unknown[] = [body];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > MAX_DEPTH) {
      throw new InvalidRequestError(`Expected a body nested at most ${MAX_DEPTH} levels deep.`);
    }
    level = level.flatMap((value) =>
      typeof value === 'object' && value !== null ? Object.values(value) : [],
    );
  }
}
