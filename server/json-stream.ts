import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { type JsonPieces, LongText } from './images/long-text.ts';
import { DataUrl } from './images/url.ts';

/** JSON that is produced piece by piece, at the reader's pace. */
export interface JsonBody {
  /** Length of the whole JSON in UTF-8. */
  readonly bytes: number;
  stream(): Readable;
}

/**
 * Turns a value into JSON in which images are encoded only while they are sent. One string would be
 * copied several times and block the event loop.
 */
export function toJsonBody(value: unknown): JsonBody {
  const placeholder = randomUUID();
  const images: JsonPieces[] = [];
  const json = JSON.stringify(value, (_key, inner: unknown) => {
    if (!(inner instanceof DataUrl || inner instanceof LongText)) return inner;
    images.push(inner);
    return placeholder;
  });
  const texts = json.split(placeholder).map((text) => Buffer.from(text));
  const bytes = [...texts.map(({ length }) => length), ...images.map(({ jsonBytes }) => jsonBytes)];
  function* pieces() {
    for (const [index, text] of texts.entries()) {
      if (text.length > 0) yield text;
      yield* images[index]?.jsonPieces() ?? [];
    }
  }
  return {
    bytes: bytes.reduce((sum, length) => sum + length, 0),
    stream: () => Readable.from(pieces(), { objectMode: false }),
  };
}
