import sharp, { type Sharp } from 'sharp';
import { decodeBitmap } from './bitmap.ts';
import type { ImageSource } from './data-url.ts';
import type { ImageFormat } from './image-format.ts';
import { createUnreadableError, type ImageHeader, type ImageSize } from './image-header.ts';
import type { ImageRules } from './image-rules.ts';

/** A picture that the runtime can be given. */
export interface LoadedImage {
  dataUrl: string;
  /** Of the client's picture; the data URL may hold another. */
  format: ImageFormat;
  /** As shown, in the data URL. */
  width: number;
  height: number;
  scaledFrom?: ImageSize;
}

/** Against files made to be slow; the largest honest ones take 1-2 s. */
const DECODE_SECONDS = 20;

/**
 * Decodes a picture once, to know that it can be. It goes on as it came if it is plain, opaque and
 * within the limit; otherwise it is encoded anew: upright, 8-bit sRGB, flattened on white (the
 * runtime would drop the alpha channel and show what hides under it), its first frame only.
 */
export async function convertImage(
  source: ImageSource,
  header: ImageHeader,
  { maxPixels }: Pick<ImageRules, 'maxPixels'>,
): Promise<LoadedImage> {
  const { format, shown } = header;
  const size = fitInto(shown, maxPixels);
  const scaled = size.width !== shown.width || size.height !== shown.height;
  const about = { format, ...size, ...(scaled && { scaledFrom: shown }) };
  try {
    if (!scaled && header.plain && (await isOpaque(source.bytes, header))) {
      const base64 = source.base64 ?? source.bytes.toString('base64');
      return { dataUrl: `data:image/${format};base64,${base64}`, ...about };
    }
    const image = await open(source.bytes, header);
    const pipeline = image.autoOrient().flatten({ background: 'white' }).toColourspace('srgb');
    if (scaled) pipeline.resize({ ...size, fit: 'fill' });
    return { dataUrl: await encode(pipeline, format), ...about };
  } catch (error) {
    throw createUnreadableError(format, error);
  }
}

async function open(bytes: Buffer, { bitmap }: ImageHeader): Promise<Sharp> {
  const options = { failOn: 'error', limitInputPixels: false } as const;
  if (bitmap === undefined) return sharp(bytes, options).timeout({ seconds: DECODE_SECONDS });
  const { width, height } = bitmap;
  const pixels = await decodeBitmap(bytes, bitmap);
  return sharp(pixels, { ...options, raw: { width, height, channels: 4 } });
}

/**
 * Whether no pixel is transparent. Throws if the picture cannot be decoded to its end: files are
 * read row by row, so even its last pixel alone needs all the others, and that is the cheapest.
 */
async function isOpaque(bytes: Buffer, header: ImageHeader): Promise<boolean> {
  const image = await open(bytes, header);
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
async function encode(pipeline: Sharp, format: ImageFormat): Promise<string> {
  const photo = format === 'jpeg' || format === 'webp';
  const encoder = photo
    ? pipeline.jpeg({ quality: 92, chromaSubsampling: '4:4:4' })
    : pipeline.png({ compressionLevel: 3 });
  const bytes = await encoder.toBuffer();
  return `data:image/${photo ? 'jpeg' : 'png'};base64,${bytes.toString('base64')}`;
}

/** The largest size of (nearly) the same shape; rounding never makes it more oblong. */
function fitInto({ width, height }: ImageSize, maxPixels: number): ImageSize {
  if (width * height <= maxPixels) return { width, height };
  const ratio = Math.max(width, height) / Math.min(width, height);
  const short = Math.max(1, Math.floor(Math.sqrt(maxPixels / ratio)));
  const long = Math.max(short, Math.floor(short * ratio));
  return width < height ? { width: short, height: long } : { width: long, height: short };
}
