import sharp, { type Sharp } from 'sharp';
import { decodeBitmap } from './bitmap.ts';
import { DataUrl } from './data-url.ts';
import { ImageError } from './image-error.ts';
import {
  createUnreadableError,
  type ImageFormat,
  type ImageHeader,
  type ImageSize,
} from './image-header.ts';
import type { ImageRules } from './image-rules.ts';

/** A picture that the runtime can be given. */
export interface LoadedImage {
  dataUrl: DataUrl;
  /** Of the client's picture; the data URL may hold another. */
  format: ImageFormat;
  /** As shown, in the data URL. */
  width: number;
  height: number;
  scaledFrom?: ImageSize;
}

/**
 * Decodes a picture once, to know that it can be. It goes on as it came if it is plain, opaque and
 * within the limit; otherwise it is encoded anew: upright, 8-bit sRGB, flattened on white (the
 * runtime would drop the alpha channel and show what hides under it), its first frame only.
 */
export async function convertImage(
  bytes: Buffer,
  header: ImageHeader,
  { maxPixels, decodeSeconds }: Pick<ImageRules, 'maxPixels' | 'decodeSeconds'>,
): Promise<LoadedImage> {
  const { format, shown } = header;
  const size = fitInto(shown, maxPixels);
  const scaled = size.width !== shown.width || size.height !== shown.height;
  const about = { format, ...size, ...(scaled && { scaledFrom: shown }) };
  try {
    if (!scaled && header.plain && (await isOpaque(bytes, header, decodeSeconds))) {
      return { dataUrl: new DataUrl(`image/${format}`, bytes), ...about };
    }
    const image = await open(bytes, header, decodeSeconds);
    const pipeline = image.autoOrient().flatten({ background: 'white' }).toColourspace('srgb');
    if (scaled) pipeline.resize({ ...size, fit: 'fill' });
    return { dataUrl: await encode(pipeline, format), ...about };
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('timeout:')) {
      throw createSlowError(decodeSeconds);
    }
    throw createUnreadableError(format, error);
  }
}

/** The error for an image that is too slow to decode, probably on purpose. */
export function createSlowError(seconds: number): ImageError {
  return new ImageError(
    'image_timeout',
    `Decoding the image took longer than ${seconds} s. Send a smaller image, or save it again as a ` +
      'plain PNG or JPEG.',
  );
}

async function open(bytes: Buffer, { bitmap }: ImageHeader, seconds: number): Promise<Sharp> {
  const options = { failOn: 'error', limitInputPixels: false } as const;
  if (bitmap === undefined) return sharp(bytes, options).timeout({ seconds });
  const { width, height } = bitmap;
  const pixels = await decodeBitmap(bytes, bitmap);
  return sharp(pixels, { ...options, raw: { width, height, channels: 4 } }).timeout({ seconds });
}

/**
 * Whether no pixel is transparent. Throws if the picture cannot be decoded to its end: files are
 * read row by row, so even its last pixel alone needs all the others, and that is the cheapest.
 */
async function isOpaque(bytes: Buffer, header: ImageHeader, seconds: number): Promise<boolean> {
  const image = await open(bytes, header, seconds);
  if (!header.hasAlpha) {
    const { width, height } = header.stored;
    await image
      .extract({ left: width - 1, top: height - 1, width: 1, height: 1 })
      .raw()
      .toBuffer();
    return true;
  }
  const alpha = await image.extractChannel('alpha').raw().toBuffer();
  return alpha.equals(Buffer.alloc(alpha.length, 255));
}

/** Photos stay JPEG, without the colour loss that blurs small text; the rest loses nothing. */
async function encode(pipeline: Sharp, format: ImageFormat): Promise<DataUrl> {
  const photo = format === 'jpeg' || format === 'webp';
  const encoder = photo
    ? pipeline.jpeg({ quality: 92, chromaSubsampling: '4:4:4' })
    : pipeline.png({ compressionLevel: 3 });
  return new DataUrl(`image/${photo ? 'jpeg' : 'png'}`, await encoder.toBuffer());
}

/** The largest size of (nearly) the same shape; rounding never makes it more oblong. */
function fitInto({ width, height }: ImageSize, maxPixels: number): ImageSize {
  if (width * height <= maxPixels) return { width, height };
  const ratio = Math.max(width, height) / Math.min(width, height);
  const short = Math.max(1, Math.floor(Math.sqrt(maxPixels / ratio)));
  const long = Math.max(short, Math.floor(short * ratio));
  return width < height ? { width: short, height: long } : { width: long, height: short };
}
