import type { ImageStructure } from './format.ts';

const SCREEN_END = 13;
const EXTENSION = 0x21;
const IMAGE = 0x2c;
const TRAILER = 0x3b;
/** Blocks and sub-blocks; a GIF of 20 MB has about 80,000. */
const MAX_BLOCKS = 4_000_000;
/** A transparent frame of one pixel, and the end of the file. */
const TRANSPARENT_FRAME = Buffer.from(
  '21f90401000000002c000000000100010080000000ffffff02024401003b',
  'hex',
);

/** Walks through the blocks of a GIF to count its frames and find the area of the first one. */
export function readGifStructure(bytes: Buffer): ImageStructure {
  if (bytes.length < SCREEN_END) return { findDamage: () => 'it ends too early' };
  const { frames, firstEnd, firstStart, isEnded } = walk(bytes);
  const isPartlyCovered = firstEnd !== undefined && !coversScreen(bytes, firstStart);
  return {
    ...(frames > 1 && { parts: { count: frames, unit: 'frames' as const } }),
    ...(isPartlyCovered && {
      isPartlyCovered,
      // libvips fills areas that no frame covers with black, unless a frame is transparent.
      decodable: () => Buffer.concat([bytes.subarray(0, firstEnd), TRANSPARENT_FRAME]),
    }),
    findDamage: () => (isEnded ? undefined : 'it ends too early'),
  };
}

interface Walk {
  frames: number;
  firstStart: number;
  firstEnd?: number;
  isEnded: boolean;
}

function walk(bytes: Buffer): Walk {
  const found: Walk = { frames: 0, firstStart: 0, isEnded: false };
  let at = SCREEN_END + colorTableBytes(bytes[10]);
  for (let steps = 0; steps < MAX_BLOCKS; steps++) {
    const kind = bytes[at];
    if (kind === TRAILER) return { ...found, isEnded: true };
    if (kind !== EXTENSION && kind !== IMAGE) return { ...found, isEnded: kind !== undefined };
    const isImage = kind === IMAGE;
    if (isImage && found.frames++ === 0) found.firstStart = at;
    at += isImage ? 11 + colorTableBytes(bytes[at + 9]) : 2;
    for (let length = bytes[at]; length !== 0; length = bytes[at]) {
      if (length === undefined || steps++ > MAX_BLOCKS) return { ...found, isEnded: false };
      at += length + 1;
    }
    at += 1;
    if (isImage && found.frames === 1) found.firstEnd = at;
  }
  return { ...found, isEnded: true };
}

function colorTableBytes(flags = 0): number {
  return (flags & 0x80) === 0 ? 0 : 3 * 2 ** ((flags & 7) + 1);
}

function coversScreen(bytes: Buffer, frame: number): boolean {
  const [left, top, width, height] = [1, 3, 5, 7].map((at) => bytes.readUInt16LE(frame + at));
  const [screenWidth, screenHeight] = [bytes.readUInt16LE(6), bytes.readUInt16LE(8)];
  return left === 0 && top === 0 && (width ?? 0) >= screenWidth && (height ?? 0) >= screenHeight;
}
