import sharp, { type Sharp } from 'sharp';
import { type Background, chooseBackground, isOpaque } from './background.ts';
import { decodeBitmap } from './bitmap.ts';
import { DataUrl } from './data-url.ts';
import { ImageError } from './image-error.ts';
import type { ImageFormat } from './image-format.ts';
import {
  createUnreadableError,
  DECODER_OPTIONS,
  type ImageHeader,
  type ImageSize,
} from './image-header.ts';
import type { ImageRules } from './image-rules.ts';
import type { Parts } from './image-structure.ts';

/** An image that the runtime can be given. */
export interface LoadedImage {
  dataUrl: DataUrl;
  /** Of the client's image; the data URL may hold another. */
  format: ImageFormat;
  /** As shown, in the data URL. */
  width: number;
  height: number;
  scaledFrom?: ImageSize;
  /** Frames or pages of the file, of which the first was loaded; left out if there is only one. */
  parts?: Parts;
  /** What transparent parts are shown on; left out for an opaque image. */
  background?: Background;
}

type Limits = Pick<ImageRules, 'maxPixels' | 'decodeSeconds'>;

/**
 * Decodes an image once. It is passed on, without its metadata, if it is plain, opaque and within the
 * limit. Otherwise it is encoded anew as careful viewers show its first frame: upright, its color
 * profile converted to 8-bit sRGB, transparent parts on a background that keeps the content visible
 * (the runtime would drop the alpha channel and show what hides under it).
 */
export async function convertImage(
  bytes: Buffer,
  header: ImageHeader,
  limits: Limits,
): Promise<LoadedImage> {
  const { format, shown, structure } = header;
  const size = fitInto(shown, limits.maxPixels);
  const isScaled = size.width !== shown.width || size.height !== shown.height;
  const about = {
    format,
    ...size,
    ...(isScaled && { scaledFrom: shown }),
    ...(structure.parts !== undefined && { parts: structure.parts }),
  };
  const started = performance.now();
  try {
    const image = await open(bytes, header, limits.decodeSeconds);
    const scale = isScaled ? size : undefined;
    const bare = header.isPlain && !isScaled ? structure.withoutMetadata : undefined;
    if (header.hasAlpha) {
      return { ...(await flatten(image, header, size, scale, bare)), ...about };
    }
    if (bare !== undefined) {
      await decodeToEnd(image, header);
      const passedOn = bare();
      if (passedOn !== undefined) {
        return { dataUrl: new DataUrl(`image/${format}`, passedOn), ...about };
      }
      return {
        dataUrl: await encode(await open(bytes, header, limits.decodeSeconds), format),
        ...about,
      };
    }
    return { dataUrl: await convert(image, header, scale, limits), ...about };
  } catch (error) {
    if (error instanceof ImageError) throw error;
    // libvips says so too, but in a text that may be of another request.
    const isLate = performance.now() - started >= limits.decodeSeconds * 1000;
    if (isLate) throw createSlowError(limits.decodeSeconds);
    throw createUnreadableError(format, structure);
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

async function open(
  bytes: Buffer,
  { bitmap, structure }: ImageHeader,
  seconds: number,
): Promise<Sharp> {
  if (bitmap === undefined) {
    return sharp(structure.decodable?.() ?? bytes, DECODER_OPTIONS).timeout({ seconds });
  }
  const { width, height } = bitmap;
  const pixels = await decodeBitmap(bytes, bitmap);
  return fromPixels(pixels, { width, height }, 4).timeout({ seconds });
}

function fromPixels(pixels: Buffer, { width, height }: ImageSize, channels: 3 | 4): Sharp {
  return sharp(pixels, { ...DECODER_OPTIONS, raw: { width, height, channels } });
}

/** Files are read row by row, so even the last pixel alone needs all others, and is the cheapest. */
async function decodeToEnd(image: Sharp, { stored: { width, height } }: ImageHeader) {
  await image
    .extract({ left: width - 1, top: height - 1, width: 1, height: 1 })
    .raw()
    .toBuffer();
}

/** Decodes an image with an alpha channel; an opaque one may be passed on after all. */
async function flatten(
  image: Sharp,
  header: ImageHeader,
  size: ImageSize,
  scale: ImageSize | undefined,
  bare: (() => Buffer | undefined) | undefined,
): Promise<Pick<LoadedImage, 'dataUrl' | 'background'>> {
  const { format } = header;
  const upright = toUprightSrgb(image, header, scale).ensureAlpha();
  const pixels = await upright.raw().toBuffer();
  const opaque = await isOpaque(pixels);
  if (opaque) {
    const passedOn = bare?.();
    if (passedOn !== undefined) return { dataUrl: new DataUrl(`image/${format}`, passedOn) };
    return { dataUrl: await encode(fromPixels(pixels, size, 4).removeAlpha(), format) };
  }
  const background = await chooseBackground(pixels, size.width);
  const flat = fromPixels(pixels, size, 4).flatten({ background });
  return { dataUrl: await encode(flat, format), background };
}

/** Decodes an opaque image. */
async function convert(
  image: Sharp,
  header: ImageHeader,
  scale: ImageSize | undefined,
  { decodeSeconds }: Limits,
): Promise<DataUrl> {
  const { format, stored, structure } = header;
  if (structure.extraChannels === undefined) {
    return encode(toUprightSrgb(image, header, scale).removeAlpha(), format);
  }
  // Scaling would take the last channel for transparency, so the others are taken out first.
  const colors = toSrgb(image, header).removeAlpha();
  if (scale === undefined) return encode(turnUpright(colors, header), format);
  const pixels = await colors.raw().toBuffer();
  const opaque = fromPixels(pixels, stored, 3).timeout({ seconds: decodeSeconds });
  return encode(turnUpright(opaque, header, scale), format);
}

function toUprightSrgb(image: Sharp, header: ImageHeader, scale: ImageSize | undefined): Sharp {
  return turnUpright(toSrgb(image, header), header, scale);
}

/**
 * Scales to the size shown, and applies the orientation, which sharp does for EXIF only. Turning needs
 * all rows in memory, so it comes last: only the scaled image is copied.
 */
function turnUpright(image: Sharp, { turn }: ImageHeader, scale?: ImageSize): Sharp {
  const { angle, isMirrored } = turn;
  if (scale !== undefined) {
    const isOnItsSide = angle % 180 !== 0;
    const width = isOnItsSide ? scale.height : scale.width;
    const height = isOnItsSide ? scale.width : scale.height;
    image.resize({ width, height, fit: 'fill' });
  }
  if (angle !== 0) image.rotate(angle);
  if (isMirrored) image.flop();
  return image;
}

/** Applies the color profile. */
function toSrgb(image: Sharp, { profiled }: ImageHeader): Sharp {
  // sharp takes no notice of the profile of 16-bit gray, and leaves 16-bit RGB in Display P3.
  if (profiled === 'gray16') image.pipelineColourspace('b-w');
  if (profiled === 'rgb16') image.withIccProfile('srgb');
  return image.toColourspace('srgb');
}

/** Photos stay JPEG, without the color loss that blurs small text; the rest loses nothing. */
async function encode(pipeline: Sharp, format: ImageFormat): Promise<DataUrl> {
  const photo = format === 'jpeg' || format === 'webp';
  const encoder = photo
    ? pipeline.jpeg({ quality: 92, chromaSubsampling: '4:4:4', optimiseCoding: false })
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
