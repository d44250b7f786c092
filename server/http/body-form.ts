import type { LongText } from '../images/long-text.ts';
import { MAX_DEPTH, MAX_FIELDS, MAX_LIST_ITEMS, MAX_TEXT_BYTES, MAX_VALUES } from '../limits.ts';
import { InvalidRequestError } from '../openai/api-error.ts';
import { createValuesError } from './json-scanner.ts';

/** Where the three APIs accept images. A long string anywhere else is treated as ordinary text. */
const IMAGE_PATH =
  /^(messages|input)\.\d+\.(content|output)\.\d+\.((content\.\d+\.)?source\.(url|data)|image_url(\.url)?)$/;

/** No key in {@link IMAGE_PATH} is longer. Others are not joined to a path, however long they are. */
const LONGEST_KEY = 'image_url'.length;

type Path = (string | number)[];

/**
 * Checks what the schemas do not: the number of values, levels, list items and fields of a body, and
 * that its strings are well-formed Unicode, as forwarding them requires. Replaces placeholders with
 * their long texts.
 * @throws InvalidRequestError that names the field
 */
export function checkBody(
  body: unknown,
  longTexts: ReadonlyMap<string, LongText>,
): { values: number } {
  let values = 0;
  let textBytes = 0;
  const path: Path = [];

  const visit = (value: unknown): unknown => {
    values += 1;
    if (values > MAX_VALUES) throw createValuesError();
    if (typeof value === 'string') return visitText(value);
    if (typeof value !== 'object' || value === null) return value;
    if (path.length >= MAX_DEPTH) throw createDepthError();
    if (Array.isArray(value)) {
      if (value.length > MAX_LIST_ITEMS) throw createSizeError(path, MAX_LIST_ITEMS, 'items');
      visitFields(value, value.keys());
    } else {
      const keys = Object.keys(value);
      if (keys.length > MAX_FIELDS) throw createSizeError(path, MAX_FIELDS, 'fields');
      visitFields(value as Record<string, unknown>, keys);
    }
    return value;
  };

  const visitFields = (
    holder: unknown[] | Record<string, unknown>,
    keys: Iterable<string | number>,
  ) => {
    for (const key of keys) {
      path.push(key);
      checkKey(key, path);
      const inner = Reflect.get(holder, key);
      const visited = visit(inner);
      if (visited !== inner) Reflect.set(holder, key, visited);
      path.pop();
    }
  };

  const visitText = (text: string): unknown => {
    const long = longTexts.size === 0 ? undefined : longTexts.get(text);
    if (long?.isWellFormed === false) throw createMalformedError(path, long);
    if (long !== undefined && isImagePath(path)) return long;
    if (long !== undefined) {
      textBytes += long.length;
      if (textBytes > MAX_TEXT_BYTES) throw createTextError(path);
    }
    const shown = long === undefined ? text : long.toString();
    if (!shown.isWellFormed()) throw createMalformedError(path, shown);
    return shown;
  };

  visit(body);
  return { values };
}

function isImagePath(path: Path): boolean {
  const isShort = (key: string | number) => typeof key === 'number' || key.length <= LONGEST_KEY;
  return path.every(isShort) && IMAGE_PATH.test(path.join('.'));
}

function createDepthError(): InvalidRequestError {
  return new InvalidRequestError(`Expected a body nested at most ${MAX_DEPTH} levels deep.`, {
    code: 'body_too_complex',
  });
}

function checkKey(key: string | number, path: Path): void {
  if (typeof key === 'number') return;
  if (!key.isWellFormed()) throw createMalformedError(path, key);
  if (key === '__proto__') {
    throw new InvalidRequestError('Expected the body to have no field `__proto__`.', {
      param: path.join('.'),
    });
  }
}

function createSizeError(path: Path, most: number, what: string): InvalidRequestError {
  const field = path.join('.');
  return new InvalidRequestError(
    `Expected ${field === '' ? 'the body' : `\`${field}\``} to have at most ${most} ${what}.`,
    { param: field === '' ? null : field, code: 'body_too_complex' },
  );
}

function createTextError(path: Path): InvalidRequestError {
  const field = path.join('.');
  return new InvalidRequestError(
    `Expected \`${field}\` to be shorter: a request may have at most ${MAX_TEXT_BYTES / 1e6} MB of text.`,
    { param: field, code: 'text_too_large' },
  );
}

function createMalformedError(path: Path, text: string | LongText): InvalidRequestError {
  const field = path.join('.');
  const { length } = text;
  const got = length <= 40 ? JSON.stringify(text) : `a string of ${length} characters`;
  return new InvalidRequestError(
    `Expected \`${field}\` to be well-formed Unicode, without lone surrogates, got ${got}.`,
    { param: field.toWellFormed() },
  );
}
