import sharp from 'sharp';
import { type Bitmap, readBitmap } from './bitmap.ts';
import { ImageError } from './image-error.ts';
import { describeContent, detectFormat, type ImageFormat } from './image-format.ts';
import type { ImageRules } from './image-rules.ts';

export interface ImageSize {
  width: number;
  height: number;
}

/** What the first bytes of a picture tell, before any of its pixels is decoded. */
export interface ImageHeader {
  format: ImageFormat;
  /** As shown, after EXIF orientation. */
  shown: ImageSize;
  /** As in the file. */
  stored: ImageSize;
  hasAlpha: boolean;
  /** Whether every decoder sees the same: one 8-bit gray or RGB frame, the right way up. */
  plain: boolean;
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
  checkSize(header.shown, rules);
  return header;
}

/** The error for a picture that could not be decoded; libvips says why in one line. */
export function createUnreadableError(format: ImageFormat, cause?: unknown): ImageError {
  const reason = cause instanceof Error ? ` (${cause.message.split('\n')[0]?.slice(0, 120)})` : '';
  return new ImageError(
    'image_unreadable',
    `Expected a readable image, got a damaged or incomplete ${format.toUpperCase()}${reason}. ` +
      'Send the complete file, or save it anew.',
    { cause },
  );
}

function readBitmapHeader(bytes: Buffer): ImageHeader {
  const bitmap = readBitmap(bytes);
  const { width, height } = bitmap;
  const size = { width, height };
  return { format: 'bmp', shown: size, stored: size, hasAlpha: false, plain: false, bitmap };
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
    // libvips mends small damage in a GIF that the runtime's PIL fails on: it gets the mended one.
    plain:
      format !== 'tiff' &&
      format !== 'gif' &&
      pages === 1 &&
      orientation <= 1 &&
      depth === 'uchar' &&
      (space === 'srgb' || space === 'b-w'),
  };
}

function checkSize({ width, height }: ImageSize, { maxSourcePixels }: ImageRules): void {
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
