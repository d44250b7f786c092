import type { z } from 'zod';
import { InvalidRequestError } from '../errors.ts';
import { LongText } from '../images/long-text.ts';
import {
  MAX_HEADER_CHARACTERS,
  MAX_IGNORED_PATH_CHARACTERS,
  MAX_IGNORED_PATHS,
} from '../limits.ts';
import { measure } from './fields.ts';

type Issue = z.core.$ZodIssue;

/** Makes zod stop at the first wrong value; a long list would have an issue for each one. */
const FIRST_PROBLEM = { abortEarly: true, reportInput: false };

/**
 * Parses a body with its schema, up to the first mistake.
 * @throws InvalidRequestError that names the field and what was expected of it
 */
export function parseBody<Schema extends z.ZodType>(schema: Schema, body: unknown) {
  const parsed = schema.safeParse(body, FIRST_PROBLEM);
  if (!parsed.success) throw toInvalidRequest(parsed.error, body);
  return parsed.data;
}

/**
 * What `--strict-parameters` does with the fields that would be ignored.
 * @throws InvalidRequestError that names the first of them
 */
export function refuseIgnored({ paths: [param] }: IgnoredFields): void {
  if (param === undefined) return;
  throw new InvalidRequestError(
    `Unrecognized request argument supplied: ${param}. Leave it out, or start the server without ` +
      '--strict-parameters, which would ignore it.',
    { param, code: 'unknown_parameter' },
  );
}

/**
 * Turns what zod found wrong into OpenAI's error: the first problem, the field in `param`, and a
 * message that says what was expected and what came.
 */
export function toInvalidRequest(error: z.ZodError, body: unknown): InvalidRequestError {
  const { issue, path } = mostTelling(error.issues, []);
  const field = path.join('.');
  const expected = expectation(issue);
  const value = path.reduce<unknown>(step, body);
  const got = describeSize(value, expected) ?? describe(value);
  return new InvalidRequestError(
    `Expected ${field === '' ? 'the body' : `\`${field}\``} to be ${expected}, got ${got}.`,
    { param: field === '' ? null : field },
  );
}

/** In a union, the branch that got furthest is the one the client meant. */
function mostTelling(
  issues: readonly Issue[],
  prefix: readonly PropertyKey[],
): { issue: Issue; path: PropertyKey[] } {
  const issue = issues[0];
  if (issue === undefined) throw new TypeError('A zod error has no issue.');
  const path = [...prefix, ...issue.path];
  if (issue.code !== 'invalid_union') return { issue, path };
  const branches = issue.errors
    .filter((branch) => branch.length > 0)
    .map((branch) => mostTelling(branch, path))
    .filter((found) => found.path.length > path.length);
  return branches.sort((a, b) => b.path.length - a.path.length)[0] ?? { issue, path };
}

function expectation(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      if (!issue.message.startsWith('Invalid')) return issue.message;
      return issue.expected === 'int' ? 'an integer' : withArticle(issue.expected);
    case 'too_small':
      return size(issue.origin, issue.inclusive ? 'at least' : 'more than', issue.minimum);
    case 'too_big':
      return size(issue.origin, issue.inclusive ? 'at most' : 'less than', issue.maximum);
    case 'invalid_value':
      return issue.message.startsWith('Invalid') ? oneOf(issue.values) : issue.message;
    case 'invalid_union':
      return issue.errors.length === 0
        ? oneOf('options' in issue ? (issue.options ?? []) : [])
        : [...new Set(issue.errors.flatMap((branch) => branch.slice(0, 1).map(expectation)))].join(
            ' or ',
          );
    case 'invalid_format':
      return issue.message.startsWith('Invalid') ? `of the form ${issue.pattern}` : issue.message;
    case 'invalid_key':
      return `stored under a key that is ${issue.issues.slice(0, 1).map(expectation).join('')}`;
    default:
      return issue.message;
  }
}

function withArticle(type: string): string {
  return `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`;
}

/** `at most 2` of a number, `an array of at most 2 items` of a list. */
function size(origin: string, bound: string, limit: number | bigint): string {
  if (origin === 'array') return `an array of ${bound} ${count(Number(limit), 'item')}`;
  if (origin === 'string') return `a string of ${bound} ${count(Number(limit), 'character')}`;
  return `${bound} ${limit}`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function oneOf(values: readonly unknown[]): string {
  const shown = values.map((value) => JSON.stringify(value));
  return shown.length === 1 ? `${shown[0]}` : `one of ${shown.join(', ')}`;
}

function step(value: unknown, key: PropertyKey): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}

/** The size of a value in the units of the limit that it broke; undefined if there is no such limit. */
function describeSize(value: unknown, expected: string): string | undefined {
  const unit = /of (?:at most|at least|more than|less than) \d+ (item|character|field|value)/.exec(
    expected,
  )?.[1];
  if (unit === 'character' && typeof value === 'string' && value !== '') {
    return `a string of ${count(value.length, 'character')}`;
  }
  if (unit === 'character' && Array.isArray(value)) {
    return `${count(value.join('').length, 'character')} in ${count(value.length, 'item')}`;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  if (unit === 'field') return `an object of ${count(Object.keys(value).length, 'field')}`;
  if (unit !== 'value') return undefined;
  const { values, levels } = measure(value);
  return `${count(values, 'value')} and ${count(levels, 'level')}`;
}

/** A value as an error may show it: short, and never the payload of an image. */
function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value instanceof LongText) return `a string of ${value.length} characters`;
  if (value === '') return 'an empty string';
  if (Array.isArray(value)) {
    return value.length === 0 ? 'an empty array' : `an array of ${count(value.length, 'item')}`;
  }
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'string') return JSON.stringify(value);
  return value.length <= 40 ? JSON.stringify(value) : `a string of ${value.length} characters`;
}

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
