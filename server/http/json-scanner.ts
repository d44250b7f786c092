import { Bytes } from '../images/long-text.ts';
import { LONG_STRING_BYTES, MAX_IMAGES, MAX_TEXT_BYTES, MAX_VALUES } from '../limits.ts';
import { InvalidRequestError } from '../openai/api-error.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const OPEN_OBJECT = 0x7b;

/** The fields that the three APIs have images in. */
const IMAGE_FIELDS = new Set(['url', 'image_url', 'data']);
const LONGEST_FIELD = Math.max(...[...IMAGE_FIELDS].map((name) => name.length));

/** A long string that was taken out: what stood between its quotes. */
export interface TakenString {
  literal: Bytes;
  hasEscapes: boolean;
}

/**
 * Reads the JSON of a body while it arrives, so that its limits hold before any of it is parsed: it
 * counts values and text, and takes long image strings out. It checks nothing else: what is
 * left is a small JSON text for `JSON.parse`, with a placeholder for each string taken out.
 */
export class JsonScanner {
  readonly #placeholder: string;
  readonly #text = new Bytes();
  readonly #taken: TakenString[] = [];
  #values = 1;
  #isInString = false;
  #isEscaped = false;
  /** The bytes of the string so far, if it may be taken out. */
  #image: Bytes | undefined;
  #hasEscapes = false;
  /** The text of a string so far, up to the length of a field's name. */
  #name = '';
  /** The field whose value comes next. */
  #field = '';

  /** `placeholder` must be a text that no client can guess; each string's number follows it. */
  constructor(placeholder: string) {
    this.#placeholder = placeholder;
  }

  /** @throws InvalidRequestError at the first limit that is exceeded */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      at = this.#isInString ? this.#scanString(chunk, at) : this.#scanBetween(chunk, at);
    }
    if (this.#text.length > MAX_TEXT_BYTES) {
      throw new InvalidRequestError(
        `The body has more than ${MAX_TEXT_BYTES / 1e6} MB of text beside its images. Shorten the ` +
          'conversation.',
        { code: 'text_too_large' },
      );
    }
  }

  /** Gives up a body: its memory is free now, however long its connection stays open. */
  release(): void {
    for (const bytes of [this.#text, this.#image, ...this.#taken.map(({ literal }) => literal)]) {
      bytes?.release();
    }
  }

  /** The JSON without the long image strings, and those in their order. */
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
      else if (byte === COMMA) this.#count();
      else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
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
      if (chunk[at] !== BACKSLASH) continue;
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

function createImagesError(): InvalidRequestError {
  return new InvalidRequestError(
    `The body has more than ${MAX_IMAGES} images. Send them in several requests.`,
    { code: 'too_many_images' },
  );
}

/** For a body of more values than it could need. */
export function createValuesError(): InvalidRequestError {
  return new InvalidRequestError(
    `The body has more than ${MAX_VALUES} values. Send a shorter conversation, or smaller schemas.`,
    { code: 'body_too_complex' },
  );
}
