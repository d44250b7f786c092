import sharp, { type Metadata } from 'sharp';
import { BASE_IMAGE_BYTES, MAX_IMAGE_BYTES } from '../limits.ts';
import { toSize } from '../size.ts';
import { type Bitmap, readBitmap } from './bitmap.ts';
import { isSrgbProfile } from './color-profile.ts';
import { describeContent, detectFormat, type ImageFormat, type ImageStructure } from './format.ts';
import { readGifStructure } from './gif.ts';
import { readJpegStructure } from './jpeg.ts';
import { readPngStructure } from './png.ts';
import { ImageError, type ImageRules } from './rules.ts';
import { readTiffStructure } from './tiff.ts';
import { readWebpStructure } from './webp.ts';

export interface ImageSize {
  width: number;
  height: number;
}

/** These never throw. If the file is damaged, decoding fails, and `findDamage` then says why. */
const STRUCTURE_READERS: Partial<Record<ImageFormat, (bytes: Buffer) => ImageStructure>> = {
  png: readPngStructure,
  jpeg: readJpegStructure,
  webp: readWebpStructure,
  gif: readGifStructure,
  tiff: readTiffStructure,
};

/** How far to turn an image clockwise, and whether to mirror it left to right afterwards. */
interface Turn {
  angle: 0 | 90 | 180 | 270;
  isMirrored: boolean;
}

/** What is known about an image before any pixel is decoded. */
export interface ImageHeader {
  format: ImageFormat;
  /** Size as displayed, after the turn. */
  shown: ImageSize;
  /** Size as stored in the file. */
  stored: ImageSize;
  turn: Turn;
  hasAlpha: boolean;
  /** Whether every decoder sees the same image: one 8-bit gray or sRGB frame, not turned. */
  isPlain: boolean;
  /** The type of samples, if there is an embedded color profile other than sRGB. */
  profiled?: 'rgb' | 'rgb16' | 'gray16';
  /** Upper limit for the memory to decode and convert it. */
  neededBytes: number;
  structure: ImageStructure;
  bitmap?: Bitmap;
}

/** Qwen-VL's image processors fail beyond this ratio (`smart_resize` in transformers). */
const MAX_ASPECT_RATIO = 200;

/** Rows that libvips holds while scaling an image, and in how many copies. Measured. */
const PIPELINE_ROWS = 512;
const PIPELINE_COPIES = 3;

/** EXIF orientations 1 to 8 (CIPA DC-008, 4.6.5). */
const TURNS: readonly Turn[] = [
  { angle: 0, isMirrored: false },
  { angle: 0, isMirrored: true },
  { angle: 180, isMirrored: false },
  { angle: 180, isMirrored: true },
  { angle: 270, isMirrored: true },
  { angle: 90, isMirrored: false },
  { angle: 90, isMirrored: true },
  { angle: 270, isMirrored: false },
];
const UPRIGHT: Turn = { angle: 0, isMirrored: false };

/**
 * Detects the format, reads the header and checks the limits.
 * @throws ImageError
 */
export async function readHeader(bytes: Buffer, rules: ImageRules): Promise<ImageHeader> {
  const format = detectFormat(bytes);
  if (format === undefined) {
    const [name, remedy] = await describeContent(bytes);
    throw new ImageError(
      'image_unsupported_format',
      `Expected a PNG, JPEG, WebP, GIF, BMP or TIFF image, got ${name}. ${remedy}`,
    );
  }
  const header =
    format === 'bmp' ? readBitmapHeader(bytes, rules) : await readMetadata(bytes, format, rules);
  checkSize(header, rules);
  return header;
}

/**
 * The error for an image that could not be decoded. It does not include libvips's error text, which
 * is shared by the whole process and may belong to another request (libvips/libvips#707).
 */
export function createUnreadableError(
  format: ImageFormat,
  { findDamage }: ImageStructure,
): ImageError {
  const damage = findDamage?.() ?? 'its content cannot be decoded';
  return new ImageError(
    'image_unreadable',
    `Expected a readable image, got a damaged ${format.toUpperCase()}: ${damage}. ` +
      'Send the complete file, or save it again.',
  );
}

function readBitmapHeader(bytes: Buffer, { maxPixels }: ImageRules): ImageHeader {
  const bitmap = readBitmap(bytes);
  const { width, height } = bitmap;
  const size = { width, height };
  return {
    format: 'bmp',
    shown: size,
    stored: size,
    turn: UPRIGHT,
    hasAlpha: false,
    isPlain: false,
    neededBytes:
      width * height * (bitmap.isRunLength ? 5 : 4) +
      conversionBytes(Math.min(width * height, maxPixels)),
    structure: {},
    bitmap,
  };
}

async function readMetadata(
  bytes: Buffer,
  format: ImageFormat,
  { maxPixels }: ImageRules,
): Promise<ImageHeader> {
  const structure = STRUCTURE_READERS[format]?.(bytes) ?? {};
  const { unsupported, extraChannels = 0, isPartlyCovered = false, parts } = structure;
  if (unsupported !== undefined) {
    throw new ImageError(
      'image_unsupported_format',
      `This image is ${unsupported}, which is not supported. Convert it to PNG or an ordinary JPEG.`,
    );
  }
  const metadata = await sharp(bytes, DECODER_OPTIONS)
    .metadata()
    .catch(() => {
      throw createUnreadableError(format, structure);
    });
  if (metadata.format !== format) throw createUnreadableError(format, structure);
  const { width, height, depth, space, pages = 1 } = metadata;
  const turn = readTurn(metadata);
  const isOnItsSide = turn.angle % 180 !== 0;
  const profiled = readProfile(metadata);
  const hasAlpha = (metadata.hasAlpha && extraChannels === 0) || isPartlyCovered;
  const pixels = width * height;
  // Extra channels are removed before scaling, which takes a copy of the colors.
  const copyBytes = extraChannels > 0 ? pixels * 3 : 0;
  return {
    format,
    shown: isOnItsSide ? { width: height, height: width } : { width, height },
    stored: { width, height },
    turn,
    hasAlpha,
    neededBytes:
      decoderBytes(metadata) +
      copyBytes +
      conversionBytes(Math.min(pixels, maxPixels), hasAlpha, turn !== UPRIGHT),
    structure,
    ...(profiled !== undefined && { profiled }),
    // libvips tolerates damage in a GIF on which the runtime's Pillow fails, so GIFs are re-encoded.
    isPlain:
      format !== 'tiff' &&
      format !== 'gif' &&
      (pages === 1 || format === 'png') &&
      (parts === undefined || format === 'png') &&
      turn === UPRIGHT &&
      profiled === undefined &&
      depth === 'uchar' &&
      (space === 'srgb' || space === 'b-w'),
  };
}

/** Accepts damaged images as long as they are recognizable. */
export const DECODER_OPTIONS = {
  failOn: 'error',
  limitInputPixels: false,
  limitInputChannels: false,
} as const;

/** From EXIF, or else from XMP, like the runtime's Pillow. */
function readTurn({ orientation, xmpAsString = '' }: Metadata): Turn {
  const [, inXmp] = /tiff:Orientation(?:="|>)([1-8])/.exec(xmpAsString) ?? [];
  const value = orientation ?? Number(inXmp ?? 1);
  return value <= 1 ? UPRIGHT : (TURNS[value - 1] ?? UPRIGHT);
}

function readProfile({ icc, depth, space }: Metadata): ImageHeader['profiled'] {
  if (icc === undefined || isSrgbProfile(icc)) return undefined;
  if (depth !== 'ushort') return 'rgb';
  if (space === 'grey16') return 'gray16';
  return space === 'rgb16' ? 'rgb16' : 'rgb';
}

/**
 * Some decoders hold the whole image. Others work row by row but take as long, so for choosing a lane
 * they count the same. The pipeline's rows take more memory than the image itself if it is wide.
 */
function decoderBytes(metadata: Metadata): number {
  const { width, height, channels, depth, format, isProgressive } = metadata;
  const wide = depth === 'double' || depth === 'complex' || depth === 'dpcomplex';
  const sampleBytes =
    depth === 'uchar' || depth === 'char' ? 1 : depth.endsWith('short') ? 2 : wide ? 16 : 4;
  const rowBytes = width * channels * sampleBytes;
  const pipelineBytes = rowBytes * Math.min(height, PIPELINE_ROWS) * PIPELINE_COPIES;
  const pixels = width * height;
  // libnsgif always decodes to RGBA, and libwebp if lossless, which the metadata does not say.
  if (format === 'gif' || format === 'webp') return pixels * 4 + pipelineBytes;
  if (format === 'jpeg' && isProgressive) {
    return pixels * coefficientsPerPixel(metadata) * 2 + pipelineBytes;
  }
  if (format === 'png' && isProgressive) return rowBytes * height + pipelineBytes;
  return Math.max(rowBytes * height, pipelineBytes);
}

function coefficientsPerPixel({ chromaSubsampling, channels }: Metadata): number {
  return chromaSubsampling === '4:2:0' ? 1.5 : chromaSubsampling === '4:2:2' ? 2 : channels;
}

/**
 * Memory in addition to the decoder's, to scale, turn and encode the image. With alpha, two more copies
 * are needed to choose the background.
 */
function conversionBytes(pixelsSent: number, hasAlpha = false, isTurned = false): number {
  return BASE_IMAGE_BYTES + pixelsSent * ((hasAlpha ? 16 : 8) + (isTurned ? 8 : 0));
}

function checkSize(header: ImageHeader, { maxSourcePixels }: ImageRules): void {
  const { width, height } = header.shown;
  if (header.neededBytes > MAX_IMAGE_BYTES && width * height <= maxSourcePixels) {
    throw new ImageError(
      'image_too_large',
      `Decoding this ${width}x${height} image takes up to ${toSize(header.neededBytes)} of memory, ` +
        `more than the ${toSize(MAX_IMAGE_BYTES)} allowed. Scale it down, or save it with 8 bits ` +
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
