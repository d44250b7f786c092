import type { ImageStructure } from './format.ts';

const START_OF_SCAN = 0xda;
const END_OF_IMAGE = Buffer.from([0xff, 0xd9]);
/** Segments before the first scan; real files have a few dozen. */
const MAX_SEGMENTS = 20_000;

interface Segment {
  marker: number;
  /** Offset of its 0xff byte. */
  start: number;
  end: number;
}

/** Reads the segments of a JPEG before its first scan to find out how it is encoded. */
export function readJpegStructure(bytes: Buffer): ImageStructure {
  const { segments, isWhole } = readSegments(bytes);
  const frame = segments.find(({ marker }) => isFrame(marker));
  const unsupported = frame && nameUnsupported(bytes, frame);
  return {
    ...(unsupported !== undefined && { unsupported }),
    withoutMetadata: () => (isWhole ? strip(bytes, segments) : undefined),
    findDamage: () => {
      if (!bytes.includes(END_OF_IMAGE, segments.at(-1)?.end ?? 2)) return 'it ends too early';
      return frame === undefined ? 'it has no frame header' : undefined;
    },
  };
}

function readSegments(bytes: Buffer): { segments: Segment[]; isWhole: boolean } {
  const segments: Segment[] = [];
  let start = 2;
  while (start + 4 <= bytes.length && segments.length < MAX_SEGMENTS) {
    if (bytes[start] !== 0xff) break;
    const marker = bytes[start + 1] ?? 0;
    if (marker === 0xff) {
      start += 1; // a fill byte
      continue;
    }
    const end = start + 2 + bytes.readUInt16BE(start + 2);
    if (end > bytes.length || end < start + 4) break;
    segments.push({ marker, start, end });
    if (marker === START_OF_SCAN) return { segments, isWhole: true };
    start = end;
  }
  return { segments, isWhole: false };
}

/** SOF0 to SOF15, except for three other markers in that range, and SOF55 (JPEG-LS). */
function isFrame(marker: number): boolean {
  return (
    marker === 0xf7 || (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker))
  );
}

/** ITU-T T.81, table B.1. */
function nameUnsupported(bytes: Buffer, { marker, start, end }: Segment): string | undefined {
  if (marker === 0xf7) return 'a JPEG-LS image';
  if ([0xc3, 0xc7, 0xcb, 0xcf].includes(marker)) return 'a lossless JPEG';
  if ([0xc5, 0xc6, 0xcd, 0xce].includes(marker)) return 'a hierarchical JPEG';
  if (end - start < 10) return undefined;
  const bits = bytes.readUInt8(start + 4);
  if (bits !== 8) return `a JPEG with ${bits} bits per sample`;
  if (bytes.readUInt16BE(start + 5) === 0) return 'a JPEG without its height in the header (DNL)';
  const channels = bytes.readUInt8(start + 9);
  if (![1, 3, 4].includes(channels)) return `a JPEG with ${channels} color channels`;
  return undefined;
}

/** Removes metadata. Keeps JFIF and Adobe's color transform, which affect decoding. */
function strip(bytes: Buffer, segments: readonly Segment[]): Buffer {
  const kept = segments.filter(
    ({ marker }) =>
      marker === 0xe0 || marker === 0xee || !(marker >= 0xe0 && marker <= 0xfe && marker !== 0xf7),
  );
  if (kept.length === segments.length) return bytes;
  const scan = segments.at(-1)?.end ?? 2;
  return Buffer.concat([
    bytes.subarray(0, 2),
    ...kept.map(({ start, end }) => bytes.subarray(start, end)),
    bytes.subarray(scan),
  ]);
}
