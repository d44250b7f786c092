import { setImmediate as nextTurn } from 'node:timers/promises';
import { ImageError } from './rules.ts';

/** Bit masks for red, green and blue in a 16- or 32-bit pixel. */
type Masks = readonly [number, number, number];

/**
 * The header of a BMP. We decode BMP ourselves because sharp's build of libvips does not, and the
 * decoders on npm (bmp-ts, fast-bmp, decode-bmp) block until the whole image is unpacked, do not check
 * bounds in run-length encoding, or support fewer variants. Alpha is ignored, as in most viewers:
 * programs that write it often leave it at 0.
 */
export interface Bitmap {
  width: number;
  height: number;
  topDown: boolean;
  bitsPerPixel: number;
  /** Whether the pixels are run-length encoded (RLE4 or RLE8). */
  isRunLength: boolean;
  offset: number;
  stride: number;
  masks: Masks;
  palette: Buffer;
  paletteEntryBytes: number;
}

const COMPRESSIONS: Readonly<Record<number, string>> = {
  1: 'RLE8',
  2: 'RLE4',
  3: 'bit fields or Huffman coding',
  4: 'embedded JPEG or RLE24',
  5: 'embedded PNG',
};
const FILE_HEADER_BYTES = 14;
const CORE_HEADER_BYTES = 12;
/** The second OS/2 header may end after any field from here on; missing fields are 0. */
const MIN_HEADER_BYTES = 16;
/** A few milliseconds of work. */
const PIXELS_PER_TURN = 500_000;
const MASKS_5551: Masks = [0x7c00, 0x03e0, 0x001f];
const MASKS_8888: Masks = [0xff0000, 0x00ff00, 0x0000ff];

/**
 * Reads the header of a BMP and checks that the pixels are complete.
 * @throws ImageError
 */
export function readBitmap(bytes: Buffer): Bitmap {
  if (bytes.length < FILE_HEADER_BYTES + CORE_HEADER_BYTES) throw createIncompleteError();
  const headerBytes = bytes.readUInt32LE(14);
  const core = headerBytes === CORE_HEADER_BYTES;
  if (bytes.length < FILE_HEADER_BYTES + headerBytes + 12) throw createIncompleteError();
  if (!core && headerBytes < MIN_HEADER_BYTES) {
    throw createUnsupportedError(`one with a header of ${headerBytes} bytes`);
  }
  const field = (at: number) =>
    at + 4 <= FILE_HEADER_BYTES + headerBytes ? bytes.readUInt32LE(at) : 0;
  const compression = core ? 0 : field(30);
  const bitsPerPixel = bytes.readUInt16LE(core ? 24 : 28);
  const packed = [3, 6].includes(compression) && [16, 32].includes(bitsPerPixel);
  const isRunLength =
    (compression === 1 && bitsPerPixel === 8) || (compression === 2 && bitsPerPixel === 4);
  if (compression !== 0 && !packed && !isRunLength) {
    const name = COMPRESSIONS[compression] ?? `compression ${compression}`;
    throw createUnsupportedError(`one with ${name} and ${bitsPerPixel} bits per pixel`);
  }
  if (![1, 2, 4, 8, 16, 24, 32].includes(bitsPerPixel)) {
    throw createUnsupportedError(`one of ${bitsPerPixel} bits per pixel`);
  }

  const width = core ? bytes.readUInt16LE(18) : bytes.readInt32LE(18);
  const signedHeight = core ? bytes.readUInt16LE(20) : bytes.readInt32LE(22);
  const height = Math.abs(signedHeight);
  const stride = Math.ceil((width * bitsPerPixel) / 32) * 4;
  if (width <= 0 || height === 0) throw createUnsupportedError(`a size of ${width}x${height}`);

  const paletteEntryBytes = core ? 3 : 4;
  const colors = (core ? 0 : field(46)) || 2 ** bitsPerPixel;
  const masksBytes = packed && headerBytes === 40 ? (compression === 6 ? 16 : 12) : 0;
  const paletteStart = FILE_HEADER_BYTES + headerBytes + masksBytes;
  const unpacked = bitsPerPixel === 16 ? MASKS_5551 : MASKS_8888;
  const paletteEnd = bitsPerPixel > 8 ? paletteStart : paletteStart + colors * paletteEntryBytes;
  // The last row may lack its padding.
  const pixelBytes = isRunLength
    ? 2
    : stride * (height - 1) + Math.ceil((width * bitsPerPixel) / 8);
  const offset = findPixels(bytes, { paletteStart, paletteEnd, pixelBytes });
  return {
    width,
    height,
    topDown: signedHeight < 0,
    bitsPerPixel,
    isRunLength,
    offset,
    stride,
    masks: packed ? readMasks(bytes) : unpacked,
    palette: bytes.subarray(paletteStart, Math.min(paletteEnd, offset)),
    paletteEntryBytes,
  };
}

/**
 * Finds the start of the pixels. If the offset in the header points into the header or palette, they
 * follow the palette, unless the file is too short for that because its palette is short too.
 */
function findPixels(
  bytes: Buffer,
  {
    paletteStart,
    paletteEnd,
    pixelBytes,
  }: { paletteStart: number; paletteEnd: number; pixelBytes: number },
): number {
  const given = bytes.readUInt32LE(10);
  const fits = (offset: number) => offset + pixelBytes <= bytes.length;
  if (given >= paletteEnd && fits(given)) return given;
  if (fits(paletteEnd)) return paletteEnd;
  if (given >= paletteStart && fits(given)) return given;
  throw createIncompleteError();
}

/** Unpacks the pixels to rows of RGBA, from the top. Yields to other requests in between. */
export async function decodeBitmap(bytes: Buffer, bitmap: Bitmap): Promise<Buffer> {
  if (bitmap.isRunLength) {
    const indices = await unpackRuns(bytes, bitmap);
    return decodeRows(indices, { ...bitmap, bitsPerPixel: 8, offset: 0, stride: bitmap.width });
  }
  return decodeRows(bytes, bitmap);
}

async function decodeRows(bytes: Buffer, bitmap: Bitmap): Promise<Buffer> {
  const { width, height, topDown, offset, stride } = bitmap;
  const pixels = Buffer.alloc(width * height * 4);
  const readRow = createRowReader(bytes, bitmap);
  const rowsPerTurn = Math.ceil(PIXELS_PER_TURN / width);
  for (let y = 0; y < height; y++) {
    if (y % rowsPerTurn === rowsPerTurn - 1) await nextTurn();
    const row = topDown ? y : height - 1 - y;
    readRow(offset + row * stride, pixels.subarray(y * width * 4, (y + 1) * width * 4));
  }
  return pixels;
}

/**
 * Unpacks RLE4 or RLE8 to a palette index per pixel, in the file's order of rows. Skipped pixels have
 * index 0, as in Windows and Pillow.
 */
async function unpackRuns(bytes: Buffer, bitmap: Bitmap): Promise<Buffer> {
  const { width, height, bitsPerPixel, offset } = bitmap;
  const indices = Buffer.alloc(width * height);
  const isNibbles = bitsPerPixel === 4;
  let [x, y] = [0, 0];
  let steps = 0;
  const put = (packed: number, at: number) => {
    steps += 1;
    if (x >= width || y >= height) return;
    const index = !isNibbles ? packed : at % 2 === 0 ? packed >> 4 : packed & 15;
    indices[y * width + x] = index;
    x += 1;
  };
  let at = offset;
  while (y < height) {
    if (at + 2 > bytes.length) throw createIncompleteError();
    const [count = 0, value = 0] = [bytes[at], bytes[at + 1]];
    at += 2;
    if (count > 0) for (let i = 0; i < count; i++) put(value, i);
    else if (value === 0) [x, y] = [0, y + 1];
    else if (value === 1) break;
    else if (value === 2) {
      if (at + 2 > bytes.length) throw createIncompleteError();
      [x, y] = [x + (bytes[at] ?? 0), y + (bytes[at + 1] ?? 0)];
      at += 2;
    } else {
      const length = Math.ceil((value * bitsPerPixel) / 8);
      if (at + length > bytes.length) throw createIncompleteError();
      for (let i = 0; i < value; i++) put(bytes[at + (isNibbles ? i >> 1 : i)] ?? 0, i);
      at += length + (length % 2);
    }
    steps += 1;
    if (steps < PIXELS_PER_TURN) continue;
    steps = 0;
    await nextTurn();
  }
  return indices;
}

type RowReader = (from: number, row: Buffer) => void;

function createRowReader(bytes: Buffer, bitmap: Bitmap): RowReader {
  const { bitsPerPixel, palette, paletteEntryBytes, masks } = bitmap;
  if (bitsPerPixel === 24) {
    return (from, row) => {
      for (let at = 0; at < row.length; at += 4, from += 3) setPixel(row, at, bytes, from);
    };
  }
  if (bitsPerPixel <= 8) {
    const perByte = 8 / bitsPerPixel;
    const mask = 2 ** bitsPerPixel - 1;
    return (from, row) => {
      for (let x = 0; x * 4 < row.length; x++) {
        const packed = bytes[from + Math.floor(x / perByte)] ?? 0;
        const index = (packed >> ((perByte - 1 - (x % perByte)) * bitsPerPixel)) & mask;
        setPixel(row, x * 4, palette, index * paletteEntryBytes);
      }
    };
  }
  const bytesPerPixel = bitsPerPixel / 8;
  const channels = masks.map(createChannelReader);
  return (from, row) => {
    for (let at = 0; at < row.length; at += 4, from += bytesPerPixel) {
      const packed = bytesPerPixel === 2 ? bytes.readUInt16LE(from) : bytes.readUInt32LE(from);
      channels.forEach((read, channel) => {
        row[at + channel] = read(packed);
      });
      row[at + 3] = 255;
    }
  };
}

/** Copies BMP's blue, green and red. Colors beyond the end of the palette are black. */
function setPixel(row: Buffer, at: number, from: Buffer, index: number): void {
  row[at] = from[index + 2] ?? 0;
  row[at + 1] = from[index + 1] ?? 0;
  row[at + 2] = from[index] ?? 0;
  row[at + 3] = 255;
}

/** Scales the bits under a mask to 0..255. */
function createChannelReader(mask: number): (packed: number) => number {
  if (mask === 0) return () => 0;
  const shift = 31 - Math.clz32(mask & -mask);
  const scale = 255 / (mask >>> shift);
  return (packed) => Math.round(((packed & mask) >>> shift) * scale);
}

/** The masks follow the first 40 bytes of the header, or are part of a longer header. */
function readMasks(bytes: Buffer): Masks {
  return [bytes.readUInt32LE(54), bytes.readUInt32LE(58), bytes.readUInt32LE(62)];
}

function createIncompleteError(): ImageError {
  return new ImageError('image_unreadable', 'The BMP ends too early. Send the complete file.');
}

function createUnsupportedError(what: string): ImageError {
  return new ImageError(
    'image_unsupported_format',
    `Expected an uncompressed or run-length encoded BMP, got ${what}. Convert the image to PNG.`,
  );
}
