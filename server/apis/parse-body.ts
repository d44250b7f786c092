import type { z } from 'zod';
import { InvalidRequestError } from '../errors.ts';
import { splitFieldPath, toFieldPath } from '../field-path.ts';
import {
  MAX_HEADER_CHARACTERS,
  MAX_IGNORED_PATH_CHARACTERS,
  MAX_IGNORED_PATHS,
} from '../limits.ts';
import { LongText } from '../long-text.ts';
import { measure } from './fields.ts';

type Issue = z.core.$ZodIssue;

/** Makes zod stop at the first invalid value, since a long list could have an issue per item. */
const STOP_AT_FIRST = { abortEarly: true, reportInput: false };

/**
 * Parses a body with its schema and stops at the first invalid value.
 * @throws InvalidRequestError that names the field and what it must be
 */
export function parseBody<Schema extends z.ZodType>(schema: Schema, body: unknown) {
  const parsed = schema.safeParse(body, STOP_AT_FIRST);
  if (!parsed.success) throw toInvalidRequest(parsed.error, body);
  return parsed.data;
}

/**
 * Refuses a request with ignored fields, for `--strict-parameters`.
 * @throws InvalidRequestError that names the first one
 */
export function refuseIgnored({ paths: [param] }: IgnoredFields): void {
  if (param === undefined) return;
  throw new InvalidRequestError(
    `Unrecognized request argument supplied: ${param}. Remove it, or start the server without ` +
      '--strict-parameters to have it ignored.',
    { param, code: 'unknown_parameter' },
  );
}

/** Converts zod's first issue to an error with the field, what it must be, and what it was. */
function toInvalidRequest(error: z.ZodError, body: unknown): InvalidRequestError {
  const { issue, path } = mostSpecific(error.issues, []);
  const field = toFieldPath(path);
  const name = field === '' ? 'The body' : `\`${field}\``;
  const expected = describeExpected(issue);
  const value = path.reduce<unknown>(propertyOf, body);
  const got = describeSize(value, expected) ?? describe(value);
  if (issue.code === 'invalid_key') {
    return new InvalidRequestError(`The name of ${name} must be ${expected}.`, { param: field });
  }
  const message =
    value === undefined
      ? `${name} is missing. It must be ${expected}.`
      : `${name} must be ${expected} (got ${got}).`;
  return new InvalidRequestError(message, { param: field === '' ? null : field });
}

/** In a union, the client most likely meant the alternative whose issue is nested most deeply. */
function mostSpecific(
  issues: readonly Issue[],
  prefix: readonly PropertyKey[],
): { issue: Issue; path: PropertyKey[] } {
  const issue = issues[0];
  if (issue === undefined) throw new TypeError('The zod error has no issues.');
  const path = [...prefix, ...issue.path];
  if (issue.code !== 'invalid_union') return { issue, path };
  const branches = issue.errors
    .filter((branch) => branch.length > 0)
    .map((branch) => mostSpecific(branch, path))
    .filter((found) => found.path.length > path.length);
  return branches.sort((a, b) => b.path.length - a.path.length)[0] ?? { issue, path };
}

function describeExpected(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      if (!issue.message.startsWith('Invalid')) return issue.message;
      if (issue.expected === 'int') return 'an integer';
      return withArticle(issue.expected === 'record' ? 'object' : issue.expected);
    case 'too_small':
      return size(issue.origin, issue.inclusive ? 'at least' : 'more than', issue.minimum);
    case 'too_big':
      return size(issue.origin, issue.inclusive ? 'at most' : 'less than', issue.maximum);
    case 'invalid_value':
      return issue.message.startsWith('Invalid') ? oneOf(issue.values) : issue.message;
    case 'invalid_union':
      return issue.errors.length === 0
        ? oneOf('options' in issue ? (issue.options ?? []) : [])
        : [
            ...new Set(issue.errors.flatMap((branch) => branch.slice(0, 1).map(describeExpected))),
          ].join(' or ');
    case 'invalid_format':
      return issue.message.startsWith('Invalid') ? `of the form ${issue.pattern}` : issue.message;
    case 'invalid_key':
      return issue.issues.slice(0, 1).map(describeExpected).join('');
    default:
      return issue.message;
  }
}

function withArticle(type: string): string {
  return `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`;
}

/** `at most 2` for a number, `an array of at most 2 items` for a list. */
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

function propertyOf(value: unknown, key: PropertyKey): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}

/** The size of a value in the units of the limit that it exceeds. Undefined for other limits. */
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

/** Describes a value for an error message: briefly, and without image data. */
function describe(value: unknown): string {
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
 * The ignored fields of a request, as JSON paths such as `messages.0.opts`. Contains no values, and
 * names are percent-encoded, so a path is safe in a header and in a log. The client determines the
 * number of fields and the length of their names, so fields beyond a limit are only counted.
 */
export class IgnoredFields {
  readonly #paths: string[] = [];
  #count = 0;

  /** The paths, up to the limit. */
  get paths(): readonly string[] {
    return this.#paths;
  }

  /** The number of ignored fields, including those beyond the limit. */
  get count(): number {
    return this.#count;
  }

  add(...path: readonly PropertyKey[]): void {
    this.#count += 1;
    if (this.#paths.length < MAX_IGNORED_PATHS) this.#paths.push(toJsonPath(path));
  }

  /** Adds field paths, such as those of schema keywords. */
  addJoined(paths: readonly string[]): void {
    for (const path of paths) this.add(...splitFieldPath(path));
  }

  /** The paths, up to 1 KB, followed by the number of further ones. */
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
 * Finds the fields of a body that parsing dropped, by comparing the body with the result. The
 * schemas drop unknown fields at every depth.
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
    for (const [index, item] of given.entries())
      compareField(item, kept[index], [...path, index], ignored);
  } else if (isPlainObject(given) && isPlainObject(kept)) {
    for (const [name, value] of Object.entries(given)) {
      // Ignores inherited properties, such as `toString`.
      const keptValue = Object.hasOwn(kept, name) ? kept[name] : undefined;
      compareField(value, keptValue, [...path, name], ignored);
    }
  }
}

/** A field that is null counts as not set. */
function compareField(
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

/** Joins names with dots. Dots within a name are encoded. */
function toJsonPath(path: readonly PropertyKey[]): string {
  const text = path.map((name) => encode(String(name))).join('.');
  if (text.length <= MAX_IGNORED_PATH_CHARACTERS) return text;
  // Does not cut a percent-encoded character in half.
  return `${text.slice(0, MAX_IGNORED_PATH_CHARACTERS).replace(/%.?$/, '')}...`;
}

function encode(name: string): string {
  // A name may be as long as the body, so it is truncated before it is encoded.
  const start = name.slice(0, MAX_IGNORED_PATH_CHARACTERS).toWellFormed();
  const text = encodeURIComponent(start).replaceAll('.', '%2E');
  return name.length > start.length ? `${text}...` : text;
}
