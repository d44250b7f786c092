import sharp, { type Metadata } from 'sharp';
import { MAX_DECODER_BYTES } from '../limits.ts';
import { type Bitmap, readBitmap } from './bitmap.ts';
import { ImageError } from './image-error.ts';
import { type ImageRules, toByteText } from './image-rules.ts';

export type ImageFormat = 'png' | 'jpeg' | 'webp' | 'gif' | 'bmp' | 'tiff';

/** First bytes as latin1; `?` stands for any byte. */
const SIGNATURES: readonly (readonly [ImageFormat, string])[] = [
  ['png', '\x89PNG\r\n\x1a\n'],
  ['jpeg', '\xff\xd8\xff'],
  ['webp', 'RIFF????WEBP'],
  ['gif', 'GIF87a'],
  ['gif', 'GIF89a'],
  ['bmp', 'BM?????????????\0\0\0'],
  ['tiff', 'II*\0'],
  ['tiff', 'MM\0*'],
  ['tiff', 'II+\0'],
  ['tiff', 'MM\0+'],
];

/** Formats that are often sent by mistake, in lower case. */
const OTHERS: readonly (readonly [string, string])[] = [
  ['HEIC', '????ftyphei'],
  ['HEIC', '????ftyphev'],
  ['HEIC', '????ftypmif1'],
  ['AVIF', '????ftypavi'],
  ['a video', '????ftyp'],
  ['a video', 'riff????avi '],
  ['JPEG XL', '\xff\x0a'],
  ['JPEG XL', '\0\0\0\x0cjxl '],
  ['JPEG 2000', '\0\0\0\x0cjp  '],
  ['an icon', '\0\0\x01\0'],
  ['a Photoshop document', '8bps'],
  ['PDF', '%pdf'],
  ['HTML', '<!doctype html'],
  ['HTML', '<html'],
  ['XML', '<?xml'],
  ['JSON', '{'],
  ['JSON', '['],
];

export interface ImageSize {
  width: number;
  height: number;
}

/** What the header of an image says, before any pixel is decoded. */
export interface ImageHeader {
  format: ImageFormat;
  /** As shown, after EXIF orientation. */
  shown: ImageSize;
  /** As in the file. */
  stored: ImageSize;
  hasAlpha: boolean;
  /** Whether every decoder sees the same image: one 8-bit gray or RGB frame, not rotated. */
  plain: boolean;
  /** The most memory that its decoder may take. */
  decoderBytes: number;
  bitmap?: Bitmap;
}

/** Qwen-VL's image processors fail on a longer picture (smart_resize in transformers). */
const MAX_ASPECT_RATIO = 200;

/** Judges a picture by its bytes and its claimed size. Throws an ImageError. */
export async function readHeader(bytes: Buffer, rules: ImageRules): Promise<ImageHeader> {
  const format = detectFormat(bytes);
  if (format === undefined) {
    throw new ImageError(
      'image_unsupported_format',
      `Expected a PNG, JPEG, WebP, GIF, BMP or TIFF image, got ${describeContent(bytes)}. ` +
        'Convert the image to PNG or JPEG.',
    );
  }
  const header = format === 'bmp' ? readBitmapHeader(bytes) : await readMetadata(bytes, format);
  checkSize(header, rules);
  return header;
}

/** The error for a picture that could not be decoded; libvips says why in one line. */
export function createUnreadableError(format: ImageFormat, cause?: unknown): ImageError {
  const reason = cause instanceof Error ? ` (${cause.message.split('\n')[0]?.slice(0, 120)})` : '';
  return new ImageError(
    'image_unreadable',
    `Expected a readable image, got a damaged or incomplete ${format.toUpperCase()}${reason}. ` +
      'Send the complete file, or save it again.',
    { cause },
  );
}

function readBitmapHeader(bytes: Buffer): ImageHeader {
  const bitmap = readBitmap(bytes);
  const { width, height } = bitmap;
  const size = { width, height };
  return {
    format: 'bmp',
    shown: size,
    stored: size,
    hasAlpha: false,
    plain: false,
    decoderBytes: width * height * 4,
    bitmap,
  };
}

async function readMetadata(bytes: Buffer, format: ImageFormat): Promise<ImageHeader> {
  const metadata = await sharp(bytes, { failOn: 'error', limitInputPixels: false })
    .metadata()
    .catch((error: unknown) => {
      throw createUnreadableError(format, error);
    });
  if (metadata.format !== format) throw createUnreadableError(format);
  const {
    width,
    height,
    autoOrient,
    hasAlpha,
    depth,
    space,
    orientation = 1,
    pages = 1,
  } = metadata;
  return {
    format,
    shown: { width: autoOrient.width, height: autoOrient.height },
    stored: { width, height },
    hasAlpha,
    decoderBytes: width * height * bytesPerPixel(metadata),
    // libvips repairs small damage in a GIF that the runtime's PIL fails on, so GIFs are re-encoded.
    plain:
      format !== 'tiff' &&
      format !== 'gif' &&
      pages === 1 &&
      orientation <= 1 &&
      depth === 'uchar' &&
      (space === 'srgb' || space === 'b-w'),
  };
}

/** A decoder may hold the whole image; for a progressive JPEG, its coefficients instead. */
function bytesPerPixel({ channels, depth, isProgressive, format, chromaSubsampling }: Metadata) {
  if (format === 'jpeg' && isProgressive) {
    const samples =
      chromaSubsampling === '4:2:0' ? 1.5 : chromaSubsampling === '4:2:2' ? 2 : channels;
    return samples * 2;
  }
  const wide = depth === 'double' || depth === 'complex' || depth === 'dpcomplex';
  const bytes =
    depth === 'uchar' || depth === 'char' ? 1 : depth.endsWith('short') ? 2 : wide ? 16 : 4;
  const copies = format === 'png' && isProgressive ? 2 : 1; // one in libspng, one in libvips
  return channels * bytes * copies;
}

function checkSize(header: ImageHeader, { maxSourcePixels }: ImageRules): void {
  const { width, height } = header.shown;
  if (header.decoderBytes > MAX_DECODER_BYTES && width * height <= maxSourcePixels) {
    throw new ImageError(
      'image_too_large',
      `Decoding this ${width}x${height} image takes up to ${toByteText(header.decoderBytes)}, more ` +
        `than the ${toByteText(MAX_DECODER_BYTES)} allowed. Scale it down, or save it with 8 bits ` +
        'per channel.',
    );
  }
  if (width * height > maxSourcePixels) {
    throw new ImageError(
      'image_too_large',
      `Expected an image of at most ${maxSourcePixels} pixels, got ${width}x${height}. ` +
        'Scale the image down.',
    );
  }
  if (Math.max(width, height) > Math.min(width, height) * MAX_ASPECT_RATIO) {
    throw new ImageError(
      'image_aspect_ratio',
      `Expected an image at most ${MAX_ASPECT_RATIO} times as long as wide, got ${width}x${height}. ` +
        'Crop the image or send it in parts.',
    );
  }
}

/** Detects the format by the bytes; the file's name and declared type are not reliable. */
function detectFormat(bytes: Buffer): ImageFormat | undefined {
  const head = bytes.toString('latin1', 0, 32);
  return SIGNATURES.find(([, signature]) => startsWith(head, signature))?.[0];
}

/** Describes a file in an unsupported format, for a message. */
function describeContent(bytes: Buffer): string {
  if (bytes.length === 0) return 'an empty file';
  const head = bytes.toString('latin1', 0, 512).toLowerCase();
  const text = head.replace(/^ï»¿/, '').trimStart();
  if (text.startsWith('<') && text.includes('<svg')) return 'SVG';
  const known = OTHERS.find(([, start]) => startsWith(head, start) || startsWith(text, start));
  return known?.[0] ?? 'an unknown format';
}

function startsWith(head: string, signature: string): boolean {
  if (head.length < signature.length) return false;
  return [...signature].every((character, at) => character === '?' || character === head[at]);
}
