import {
  MAX_HEADER_CHARACTERS,
  MAX_IGNORED_PATH_CHARACTERS,
  MAX_IGNORED_PATHS,
} from '../limits.ts';

/**
 * The fields of a request that were ignored, as JSON paths such as `messages.0.opts`. Names only,
 * percent-encoded, so that a path is safe in a header and in a log. A client decides how many fields
 * there are and how long their names are: beyond a limit they are only counted.
 */
export class IgnoredFields {
  readonly #paths: string[] = [];
  #count = 0;

  /** Every path up to the limit. */
  get paths(): readonly string[] {
    return this.#paths;
  }

  /** How many fields were ignored, those beyond the limit included. */
  get count(): number {
    return this.#count;
  }

  add(...path: readonly PropertyKey[]): void {
    this.#count += 1;
    if (this.#paths.length < MAX_IGNORED_PATHS) this.#paths.push(toJsonPath(path));
  }

  /** Adds paths whose names are joined by dots already, as those of a schema's keywords are. */
  addJoined(paths: readonly string[]): void {
    for (const path of paths) this.add(...path.split('.'));
  }

  /** The paths up to 1 KB, then how many more there are. */
  toHeader(): string {
    let header = '';
    for (const [index, path] of this.#paths.entries()) {
      const next = index === 0 ? path : `${header}, ${path}`;
      const more = ` +${this.#count - index} more`;
      if (next.length + more.length > MAX_HEADER_CHARACTERS) return `${header}${more}`.trim();
      header = next;
    }
    const more = this.#count - this.#paths.length;
    return more === 0 ? header : `${header} +${more} more`;
  }
}

/**
 * Finds the fields of a body that parsing dropped. The schemas drop what they do not
 * know, at every depth, so comparing the body with the result finds them all.
 */
export function findIgnored(body: unknown, parsed: unknown): IgnoredFields {
  const ignored = new IgnoredFields();
  compare(body, parsed, [], ignored);
  return ignored;
}

function compare(
  given: unknown,
  kept: unknown,
  path: readonly PropertyKey[],
  ignored: IgnoredFields,
): void {
  if (given === kept) return;
  if (Array.isArray(given) && Array.isArray(kept)) {
    for (const [index, item] of given.entries()) look(item, kept[index], [...path, index], ignored);
  } else if (isPlainObject(given) && isPlainObject(kept)) {
    for (const [name, value] of Object.entries(given)) {
      // Not what an object inherits, such as `toString`.
      const left = Object.hasOwn(kept, name) ? kept[name] : undefined;
      look(value, left, [...path, name], ignored);
    }
  }
}

/** For every field, null means not given. */
function look(
  given: unknown,
  kept: unknown,
  path: readonly PropertyKey[],
  ignored: IgnoredFields,
): void {
  if (given === null || given === undefined) return;
  if (kept === undefined) ignored.add(...path);
  else compare(given, kept, path, ignored);
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** `.` separates names, so that one within a name is encoded too. */
function toJsonPath(path: readonly PropertyKey[]): string {
  const text = path.map((name) => encode(String(name))).join('.');
  if (text.length <= MAX_IGNORED_PATH_CHARACTERS) return text;
  // Not in the middle of an escape.
  return `${text.slice(0, MAX_IGNORED_PATH_CHARACTERS).replace(/%.?$/, '')}...`;
}

function encode(name: string): string {
  // A name may be as long as the whole body; more than this is cut off anyway.
  const start = name.slice(0, MAX_IGNORED_PATH_CHARACTERS).toWellFormed();
  const text = encodeURIComponent(start).replaceAll('.', '%2E');
  return name.length > start.length ? `${text}...` : text;
}
