import { noSuchRange } from './refusal.ts';

export interface ByteRange {
  start: number;
  /** The byte after the last one. */
  end: number;
}

/**
 * What a Range header asks of a file; the kinds that nobody here sends are passed over, as a server may.
 * @throws Refusal when it begins after the last byte
 */
export function toByteRange(header: string | undefined, size: number): ByteRange | undefined {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(header ?? '') ?? [];
  if (first === undefined) return undefined;
  const start = Number(first);
  if (start >= size) throw noSuchRange(size);
  return { start, end: last ? Math.min(Number(last) + 1, size) : size };
}
