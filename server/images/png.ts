import { crc32 } from 'node:zlib';
import type { ImageStructure } from './format.ts';

const SIGNATURE_BYTES = 8;
/** Length, type and checksum. */
const FRAME_BYTES = 12;
/** Far more than encoders write. Each one takes time. */
const MAX_CHUNKS = 100_000;
/** The chunks needed to decode an opaque image. */
const NEEDED = new Set(['IHDR', 'PLTE', 'IDAT', 'IEND']);
/** Common chunks that no decoder fails on if they are intact, and their length. */
const HARMLESS = new Map([
  ['pHYs', 9],
  ['sRGB', 1],
  ['gAMA', 4],
]);

interface Chunk {
  type: string;
  start: number;
  end: number;
}

/** Reads the chunks of a PNG: an animation's frames, and Apple's variant, which only iOS decodes. */
export function readPngStructure(bytes: Buffer): ImageStructure {
  const chunks = readChunks(bytes);
  const animation = chunks.find(({ type }) => type === 'acTL');
  const frames = animation && readFrames(bytes, animation, chunks);
  return {
    ...(chunks[0]?.type === 'CgBI' && {
      unsupported: 'a PNG in Apple’s own format for iOS (CgBI)',
    }),
    ...(frames !== undefined &&
      frames > 1 && { parts: { count: frames, unit: 'frames' as const } }),
    withoutMetadata: () => strip(bytes, chunks),
    findDamage: () => findDamage(bytes, chunks),
  };
}

/** The complete chunks up to IEND. */
function readChunks(bytes: Buffer): Chunk[] {
  const chunks: Chunk[] = [];
  let start = SIGNATURE_BYTES;
  while (start + FRAME_BYTES <= bytes.length && chunks.length < MAX_CHUNKS) {
    const end = start + FRAME_BYTES + bytes.readUInt32BE(start);
    if (end > bytes.length) break;
    const type = bytes.toString('latin1', start + 4, start + 8);
    chunks.push({ type, start, end });
    if (type === 'IEND') break;
    start = end;
  }
  return chunks;
}

/** The default image counts as another frame if the animation does not start with it. */
function readFrames(bytes: Buffer, { start, end }: Chunk, chunks: readonly Chunk[]): number {
  if (end - start < FRAME_BYTES + 8) return 1;
  const first = chunks.find(({ type }) => type === 'fcTL' || type === 'IDAT');
  return bytes.readUInt32BE(start + 8) + (first?.type === 'IDAT' ? 1 : 0);
}

function strip(bytes: Buffer, chunks: readonly Chunk[]): Buffer | undefined {
  const last = chunks.at(-1);
  if (last?.type !== 'IEND') return undefined;
  const needed = chunks.filter((chunk) => NEEDED.has(chunk.type) || isHarmless(bytes, chunk));
  if (needed.length === chunks.length && last.end === bytes.length) return bytes;
  return Buffer.concat([
    bytes.subarray(0, SIGNATURE_BYTES),
    ...needed.map(({ start, end }) => bytes.subarray(start, end)),
  ]);
}

function isHarmless(bytes: Buffer, chunk: Chunk): boolean {
  return (
    HARMLESS.get(chunk.type) === chunk.end - chunk.start - FRAME_BYTES && isIntact(bytes, chunk)
  );
}

function isIntact(bytes: Buffer, { start, end }: Chunk): boolean {
  return crc32(bytes.subarray(start + 4, end - 4)) === bytes.readUInt32BE(end - 4);
}

function findDamage(bytes: Buffer, chunks: readonly Chunk[]): string | undefined {
  const broken = chunks.find((chunk) => NEEDED.has(chunk.type) && !isIntact(bytes, chunk));
  if (broken !== undefined) return `the checksum of its ${broken.type} chunk is wrong`;
  const isEnded = chunks.at(-1)?.type === 'IEND' || chunks.length === MAX_CHUNKS;
  if (!isEnded) return 'it ends too early';
  return chunks.some(({ type }) => type === 'IDAT') ? undefined : 'it has no pixel data (IDAT)';
}
