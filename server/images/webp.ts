import type { ImageStructure } from './format.ts';

const HEAD_BYTES = 12;
const MAX_CHUNKS = 100_000;

interface Chunk {
  type: string;
  start: number;
  /** Includes the padding byte of an odd length. */
  end: number;
}

/** Reads the chunks of a WebP: the frames of an animation, or a single bitstream. */
export function readWebpStructure(bytes: Buffer): ImageStructure {
  const chunks = readChunks(bytes);
  const frames = chunks.filter(({ type }) => type === 'ANMF').length;
  const bitstreams = chunks.filter(({ type }) => type === 'VP8 ' || type === 'VP8L');
  return {
    ...(frames > 1 && { parts: { count: frames, unit: 'frames' as const } }),
    withoutMetadata: () => {
      const [bitstream] = bitstreams;
      if (bitstream === undefined || bitstreams.length > 1 || frames > 0) return undefined;
      return toSimpleFile(bytes, bitstream);
    },
    findDamage: () =>
      bytes.readUInt32LE(4) + 8 > bytes.length + 1 || bytes.length < 30
        ? 'it ends too early'
        : undefined,
  };
}

function readChunks(bytes: Buffer): Chunk[] {
  const chunks: Chunk[] = [];
  let start = HEAD_BYTES;
  while (start + 8 <= bytes.length && chunks.length < MAX_CHUNKS) {
    const length = bytes.readUInt32LE(start + 4);
    if (start + 8 + length > bytes.length) break;
    const end = Math.min(bytes.length, start + 8 + length + (length % 2));
    chunks.push({ type: bytes.toString('latin1', start, start + 4), start, end });
    start = end;
  }
  return chunks;
}

/** The simple file format: only the bitstream, without profile, EXIF, XMP or separate alpha. */
function toSimpleFile(bytes: Buffer, { start, end }: Chunk): Buffer {
  if (start === HEAD_BYTES && end === bytes.length) return bytes;
  const head = Buffer.from(bytes.subarray(0, HEAD_BYTES));
  head.writeUInt32LE(4 + end - start, 4);
  return Buffer.concat([head, bytes.subarray(start, end)]);
}
