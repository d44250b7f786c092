import { InvalidRequestError } from '../errors.ts';
import { toFieldPath } from '../field-path.ts';
import {
  LONG_STRING_BYTES,
  MAX_DEPTH,
  MAX_FIELDS,
  MAX_IMAGES,
  MAX_LIST_ITEMS,
  MAX_TEXT_BYTES,
  MAX_VALUES,
} from '../limits.ts';
import { Bytes, type LongText } from '../long-text.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const OPEN_OBJECT = 0x7b;
/** Characters below it are control characters, which JSON strings must escape. */
const SPACE = 0x20;

/** Fields in which the three APIs accept images. */
const IMAGE_FIELDS = new Set(['url', 'image_url', 'data']);
const LONGEST_FIELD = Math.max(...[...IMAGE_FIELDS].map((name) => name.length));

/** A long string that was taken out of the JSON: the bytes between its quotes. */
interface TakenString {
  literal: Bytes;
  hasEscapes: boolean;
}

/**
 * Scans the JSON of a body as it arrives, so that limits apply before it is parsed. Counts values and
 * text, and replaces long image strings with placeholders. Checks those strings for what `JSON.parse`
 * would refuse; `JSON.parse` itself parses the small text that remains.
 */
export class JsonScanner {
  readonly #placeholder: string;
  readonly #text = new Bytes();
  readonly #taken: TakenString[] = [];
  #values = 1;
  #isInString = false;
  #isEscaped = false;
  /** The current string so far, if it is the value of an image field. */
  #image: Bytes | undefined;
  #hasEscapes = false;
  /** The start of the current string, long enough to recognize the name of an image field. */
  #name = '';
  /** The field whose value comes next. */
  #field = '';

  /** `placeholder` must be unguessable. The index of each string is appended to it. */
  constructor(placeholder: string) {
    this.#placeholder = placeholder;
  }

  /**
   * @throws InvalidRequestError at the first limit that is exceeded; SyntaxError
   */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      at = this.#isInString ? this.#scanString(chunk, at) : this.#scanBetween(chunk, at);
    }
    if (this.#text.length > MAX_TEXT_BYTES) {
      throw new InvalidRequestError(
        `The body has more than ${MAX_TEXT_BYTES / 1e6} MB of text, not counting images. Shorten the ` +
          'conversation.',
        { code: 'text_too_large' },
      );
    }
  }

  /** Frees the memory immediately, even if the connection stays open. */
  release(): void {
    for (const bytes of [this.#text, this.#image, ...this.#taken.map(({ literal }) => literal)]) {
      bytes?.release();
    }
  }

  /** Returns the JSON with placeholders, and the strings that they replace, in order. */
  end(): { text: string; taken: TakenString[] } {
    const text = this.#text.toString();
    this.#text.release();
    return { text, taken: this.#taken };
  }

  #scanBetween(chunk: Buffer, from: number): number {
    let at = from;
    for (; at < chunk.length; at += 1) {
      const byte = chunk[at];
      if (byte === QUOTE) {
        at += 1;
        this.#startString();
        break;
      }
      if (byte === COLON) this.#field = this.#name;
      else if (byte === COMMA || byte === OPEN_LIST || byte === OPEN_OBJECT) {
        this.#count();
        this.#field = '';
      }
    }
    this.#text.append(chunk, from, at);
    return at;
  }

  #startString(): void {
    this.#isInString = true;
    this.#hasEscapes = false;
    this.#name = '';
    if (IMAGE_FIELDS.has(this.#field)) this.#image = new Bytes();
    this.#field = '';
  }

  #scanString(chunk: Buffer, from: number): number {
    let at = from;
    if (this.#isEscaped) {
      this.#isEscaped = false;
      at += 1;
    }
    for (; at < chunk.length && chunk[at] !== QUOTE; at += 1) {
      const byte = chunk[at];
      if (byte !== undefined && byte < SPACE) throw createControlError();
      if (byte !== BACKSLASH) continue;
      this.#hasEscapes = true;
      at += 1;
      this.#isEscaped = at === chunk.length;
    }
    const end = Math.min(at, chunk.length);
    const room = LONGEST_FIELD + 1 - this.#name.length;
    if (room > 0) this.#name += chunk.toString('latin1', from, Math.min(end, from + room));
    (this.#image ?? this.#text).append(chunk, from, end);
    if (end === chunk.length) return end;
    this.#endString();
    this.#text.append(chunk, end, end + 1);
    return end + 1;
  }

  #endString(): void {
    this.#isInString = false;
    if (this.#image === undefined) return;
    const literal = this.#image;
    this.#image = undefined;
    if (literal.length < LONG_STRING_BYTES) {
      for (const slice of literal.slices(LONG_STRING_BYTES)) this.#text.append(slice);
      literal.release();
    } else {
      this.#text.append(Buffer.from(`${this.#placeholder}${this.#taken.length}`));
      this.#taken.push({ literal, hasEscapes: this.#hasEscapes });
      if (this.#taken.length > MAX_IMAGES) throw createImagesError();
    }
  }

  #count(): void {
    this.#values += 1;
    if (this.#values > MAX_VALUES) throw createValuesError();
  }
}

/** Has the message that `JSON.parse` uses. */
function createControlError(): SyntaxError {
  return new SyntaxError('Bad control character in string literal');
}

function createImagesError(): InvalidRequestError {
  return new InvalidRequestError(
    `The body has more than ${MAX_IMAGES} images. Send them in several requests.`,
    { code: 'too_many_images' },
  );
}

/** The error for a body with too many values. */
function createValuesError(): InvalidRequestError {
  return new InvalidRequestError(
    `The body has more than ${MAX_VALUES} values. Send a shorter conversation, or smaller schemas.`,
    { code: 'body_too_complex' },
  );
}

/** Where the three APIs accept images. A long string elsewhere is ordinary text. */
const IMAGE_PATH =
  /^(messages|input)\.\d+\.(content|output)\.\d+\.((content\.\d+\.)?source\.(url|data)|image_url(\.url)?)$/;

/** The longest key in {@link IMAGE_PATH}. A path with a longer key cannot match it. */
const LONGEST_KEY = 'image_url'.length;

type Path = (string | number)[];

/**
 * Checks what the schemas do not: that a body does not have too many values, levels, list items or
 * fields, and that its strings are well-formed Unicode, without which they cannot be forwarded.
 * Replaces placeholders with the long strings.
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
  return path.every(isShort) && IMAGE_PATH.test(toFieldPath(path));
}

function createDepthError(): InvalidRequestError {
  return new InvalidRequestError(`The body is nested more than ${MAX_DEPTH} levels deep.`, {
    code: 'body_too_complex',
  });
}

function checkKey(key: string | number, path: Path): void {
  if (typeof key === 'number') return;
  if (!key.isWellFormed()) throw createMalformedError(path, key);
  if (key === '__proto__') {
    throw new InvalidRequestError('The body must not contain a field named `__proto__`.', {
      param: toFieldPath(path),
    });
  }
}

function createSizeError(path: Path, max: number, what: string): InvalidRequestError {
  const field = toFieldPath(path);
  return new InvalidRequestError(
    `${field === '' ? 'The body' : `\`${field}\``} may have at most ${max} ${what}.`,
    { param: field === '' ? null : field, code: 'body_too_complex' },
  );
}

function createTextError(path: Path): InvalidRequestError {
  const field = toFieldPath(path);
  return new InvalidRequestError(
    `\`${field}\` is too long. A request may have at most ${MAX_TEXT_BYTES / 1e6} MB of text.`,
    { param: field, code: 'text_too_large' },
  );
}

function createMalformedError(path: Path, text: string | LongText): InvalidRequestError {
  const field = toFieldPath(path);
  const { length } = text;
  const got = length <= 40 ? JSON.stringify(text) : `a string of ${length} characters`;
  return new InvalidRequestError(
    `\`${field}\` must be well-formed Unicode without lone surrogates (got ${got}).`,
    { param: field.toWellFormed() },
  );
}
