import { isAscii } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Small enough to process in a few milliseconds. Divisible by 3 and 4. */
export const SLICE_BYTES = 393_216;
const FIRST_BLOCK_BYTES = 1024;
/** The longest escape of a character in JSON: a pair such as \ud83d\ude00. */
const LONGEST_ESCAPE = 12;

/** A value that is written to JSON piece by piece because it is too long for a single string. */
export abstract class JsonPieces {
  /** Total length of the pieces, in UTF-8 bytes. */
  abstract get jsonBytes(): number;
  /** The content of the JSON string, without its quotes. */
  abstract jsonPieces(): Iterable<Buffer>;
}

/**
 * A growing list of blocks of bytes, so that growing copies nothing. Appending copies, since a view of
 * a chunk would keep the whole chunk in memory.
 */
export class Bytes {
  #blocks: Buffer[] = [];
  /** The unused part of the last block. */
  #free: Buffer = Buffer.alloc(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  append(bytes: Buffer, from = 0, to = bytes.length): void {
    for (let at = from; at < to; ) {
      if (this.#free.length === 0) {
        const size = Math.min(SLICE_BYTES, FIRST_BLOCK_BYTES * 4 ** this.#blocks.length);
        this.#free = Buffer.from(new ArrayBuffer(size));
        this.#blocks.push(this.#free);
      }
      const copied = bytes.copy(this.#free, 0, at, to);
      this.#free = this.#free.subarray(copied);
      this.#length += copied;
      at += copied;
    }
  }

  /** All bytes from an offset on, in pieces of `size`; the last may be shorter. */
  *slices(size: number, from = 0): Generator<Buffer> {
    let held: Buffer[] = [];
    let heldBytes = 0;
    let skip = from;
    for (const block of this.#filled()) {
      let at = Math.min(skip, block.length);
      skip -= at;
      while (at < block.length) {
        const piece = block.subarray(at, at + size - heldBytes);
        at += piece.length;
        heldBytes += piece.length;
        held.push(piece);
        if (heldBytes < size) continue;
        yield held.length === 1 ? piece : Buffer.concat(held);
        [held, heldBytes] = [[], 0];
      }
    }
    if (heldBytes > 0) yield Buffer.concat(held);
  }

  toString(): string {
    return Buffer.concat([...this.#filled()]).toString();
  }

  /** Frees the memory now, without waiting for garbage collection. */
  release(): void {
    for (const { buffer } of this.#blocks.splice(0)) (buffer as ArrayBuffer).transfer(0);
    this.#free = Buffer.alloc(0);
    this.#length = 0;
  }

  *#filled(): Generator<Buffer> {
    let left = this.#length;
    for (const block of this.#blocks) {
      yield block.subarray(0, left);
      left -= Math.min(left, block.length);
    }
  }
}

/**
 * A long string of a request's body, such as an image's data URL. It is kept as the received bytes,
 * outside the JavaScript heap and without further copies.
 */
export class LongText extends JsonPieces {
  readonly #bytes: Bytes;
  /** Whether the bytes are already valid inside a JSON string, without escaping. */
  readonly #isLiteral: boolean;
  /** Whether it has no lone surrogates, which UTF-8 cannot represent. */
  readonly isWellFormed: boolean;
  #isKept = false;
  #isBase64 = false;

  constructor(bytes: Bytes, isLiteral: boolean, isWellFormed = true) {
    super();
    this.#bytes = bytes;
    this.#isLiteral = isLiteral;
    this.isWellFormed = isWellFormed;
  }

  /** In UTF-8 bytes; 0 after `release`. */
  get length(): number {
    return this.#bytes.length;
  }

  /** Whether it is bare base64, without the `data:` prefix of a data URL. */
  get isBase64(): boolean {
    return this.#isBase64;
  }

  /** Marks it as bare base64, as in Anthropic's API. */
  asBase64(): this {
    this.#isBase64 = true;
    return this;
  }

  /** Makes `release` do nothing, because the text is needed after its request. */
  keep(): void {
    this.#isKept = true;
  }

  /** Frees the text once it has been decoded. Returns the number of bytes freed. */
  release(): number {
    if (this.#isKept) return 0;
    const { length } = this.#bytes;
    this.#bytes.release();
    return length;
  }

  /** The text in UTF-8, from a byte offset on. */
  slices(from = 0): Generator<Buffer> {
    return this.#bytes.slices(SLICE_BYTES, from);
  }

  override toString(): string {
    return this.#bytes.toString();
  }

  override get jsonBytes(): number {
    if (this.#isLiteral) return this.#bytes.length;
    let sum = 0;
    for (const piece of this.jsonPieces()) sum += piece.length;
    return sum;
  }

  override *jsonPieces(): Generator<Buffer> {
    if (this.#isLiteral) {
      yield* this.slices();
      return;
    }
    const decoder = new TextDecoder();
    for (const slice of this.slices()) {
      yield Buffer.from(JSON.stringify(decoder.decode(slice, { stream: true })).slice(1, -1));
    }
  }
}

/**
 * The text of a JSON string of any length from the bytes between its quotes.
 * @throws SyntaxError
 */
export async function readJsonString(literal: Bytes, hasEscapes: boolean): Promise<LongText> {
  if (!hasEscapes && (await isAllAscii(literal))) return new LongText(literal, true);
  const text = new Bytes();
  let isWellFormed = true;
  let held: Buffer = Buffer.alloc(0);
  let left = literal.length;
  for (const slice of literal.slices(SLICE_BYTES)) {
    const bytes = held.length === 0 ? slice : Buffer.concat([held, slice]);
    left -= slice.length;
    const end = left === 0 ? bytes.length : escapeEnd(bytes, bytes.length - LONGEST_ESCAPE);
    const piece: string = JSON.parse(`"${bytes.toString('utf8', 0, end)}"`);
    isWellFormed &&= piece.isWellFormed();
    text.append(Buffer.from(piece));
    held = bytes.subarray(end);
    await nextTurn();
  }
  literal.release();
  return new LongText(text, false, isWellFormed);
}

async function isAllAscii(bytes: Bytes): Promise<boolean> {
  for (const slice of bytes.slices(SLICE_BYTES)) {
    if (!isAscii(slice)) return false;
    await nextTurn();
  }
  return true;
}

/** The first offset from `stop` on that does not split an escape, a surrogate pair or a character. */
function escapeEnd(literal: Buffer, stop: number): number {
  let at = 0;
  while (at < stop) {
    if (literal[at] !== 0x5c) at += 1;
    else at += literal[at + 1] === 0x75 ? 6 : 2;
  }
  while (((literal[at] ?? 0) & 0xc0) === 0x80) at += 1;
  return /^\\ud[c-f]/i.test(literal.toString('latin1', at, at + 4)) ? at + 6 : at;
}

/**
 * Decodes base64 slice by slice, so that a long one does not block other work. Returns undefined if it
 * is not standard base64 with padding; the caller may still be able to decode it.
 */
export async function decodeBase64(
  slices: Iterable<Buffer>,
  length: number,
): Promise<Buffer | undefined> {
  if (length === 0 || length % 4 !== 0) return undefined;
  const bytes = Buffer.allocUnsafeSlow((length / 4) * 3);
  let [read, written] = [0, 0];
  for (const slice of slices) {
    const piece = slice.toString('latin1');
    read += slice.length;
    // Node skips what is not base64, so the right number of bytes means that nothing was skipped.
    if (!isAscii(slice)) return undefined;
    const padding = read < length ? 0 : piece.endsWith('==') ? 2 : piece.endsWith('=') ? 1 : 0;
    const expected = (slice.length / 4) * 3 - padding;
    if (bytes.write(piece, written, 'base64') !== expected) return undefined;
    written += expected;
    if (read < length) await nextTurn();
  }
  return bytes.subarray(0, written);
}

/** JSON that is produced piece by piece, at the reader's pace. */
export interface JsonBody {
  /** Length of the whole JSON in UTF-8. */
  readonly bytes: number;
  stream(): Readable;
}

/**
 * Converts a value to JSON in which long texts and images are encoded only when they are sent. A single
 * string would be copied several times and block the event loop.
 */
export function toJsonBody(value: unknown): JsonBody {
  const placeholder = randomUUID();
  const long: JsonPieces[] = [];
  const json = JSON.stringify(value, (_key, inner: unknown) => {
    if (!(inner instanceof JsonPieces)) return inner;
    long.push(inner);
    return placeholder;
  });
  const texts = json.split(placeholder).map((text) => Buffer.from(text));
  const lengths = [...texts.map(({ length }) => length), ...long.map(({ jsonBytes }) => jsonBytes)];
  function* pieces() {
    for (const [index, text] of texts.entries()) {
      if (text.length > 0) yield text;
      yield* long[index]?.jsonPieces() ?? [];
    }
  }
  return {
    bytes: lengths.reduce((sum, length) => sum + length, 0),
    stream: () => Readable.from(pieces(), { objectMode: false }),
  };
}
