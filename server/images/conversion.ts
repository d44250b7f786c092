import { setImmediate as nextTurn } from 'node:timers/promises';
import sharp, { type Sharp } from 'sharp';
import { decodeBitmap } from './bitmap.ts';
import type { ImageFormat, Parts } from './format.ts';
import {
  createUnreadableError,
  DECODER_OPTIONS,
  type ImageHeader,
  type ImageSize,
} from './header.ts';
import { ImageError, type ImageRules } from './rules.ts';
import { DataUrl } from './url.ts';

/** An image in a form that the runtime can read. */
export interface LoadedImage {
  dataUrl: DataUrl;
  /** Format of the client's image; the data URL may have another. */
  format: ImageFormat;
  /** Size in the data URL. */
  width: number;
  height: number;
  scaledFrom?: ImageSize;
  /** Frames or pages of the file, of which the first was loaded. Undefined if there is only one. */
  parts?: Parts;
  /** The color behind transparent parts. Undefined for an opaque image. */
  background?: Background;
}

type Limits = Pick<ImageRules, 'maxPixels' | 'decodeSeconds'>;

/**
 * Decodes an image to check it. A plain, opaque image within the limit is passed on without its
 * metadata. Any other is re-encoded as a good viewer shows its first frame: upright, converted to 8-bit
 * sRGB, with transparent parts on a background that keeps the content visible (the runtime would drop
 * the alpha channel and show what is hidden below it).
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
    // libvips reports this too, but its text may belong to another request.
    const isLate = performance.now() - started >= limits.decodeSeconds * 1000;
    if (isLate) throw createSlowError(limits.decodeSeconds);
    throw createUnreadableError(format, structure);
  }
}

/** The error for an image that takes too long to decode. */
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

/** Reads only the last pixel: files are decoded row by row, so that decodes everything. */
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
  // Scaling would treat the last channel as transparency, so extra channels are removed first.
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
  // sharp ignores the profile of 16-bit gray, and leaves 16-bit RGB in Display P3.
  if (profiled === 'gray16') image.pipelineColourspace('b-w');
  if (profiled === 'rgb16') image.withIccProfile('srgb');
  return image.toColourspace('srgb');
}

/** Encodes photos as JPEG without chroma subsampling, which blurs small text; the rest as PNG. */
async function encode(pipeline: Sharp, format: ImageFormat): Promise<DataUrl> {
  const photo = format === 'jpeg' || format === 'webp';
  const encoder = photo
    ? pipeline.jpeg({ quality: 92, chromaSubsampling: '4:4:4', optimiseCoding: false })
    : pipeline.png({ compressionLevel: 3 });
  return new DataUrl(`image/${photo ? 'jpeg' : 'png'}`, await encoder.toBuffer());
}

/** The largest size with nearly the same aspect ratio; rounding never makes it more extreme. */
function fitInto({ width, height }: ImageSize, maxPixels: number): ImageSize {
  if (width * height <= maxPixels) return { width, height };
  const ratio = Math.max(width, height) / Math.min(width, height);
  const short = Math.max(1, Math.floor(Math.sqrt(maxPixels / ratio)));
  const long = Math.max(short, Math.floor(short * ratio));
  return width < height ? { width: short, height: long } : { width: long, height: short };
}

/** The color behind transparent parts. */
type Background = 'white' | 'black' | 'gray';

/** Backgrounds in order of preference, with their brightness. White is first, as in browsers. */
const BACKGROUNDS: readonly (readonly [Background, number])[] = [
  ['white', 255],
  ['black', 0],
  ['gray', 128],
];
/** Neighboring pixels that differ by more than this, of 255, form a visible edge. */
const MIN_CONTRAST = 24;
/** More contrast than this does not make an edge clearer. */
const MAX_CONTRAST = 128;
/** White is used if its edges are at least this clear, relative to the best background. */
const ENOUGH = 0.5;
/** Larger images are sampled by rows. */
const MAX_PIXELS = 1_000_000;
/** A few milliseconds of work. */
const PIXELS_PER_TURN = 100_000;

/** Whether all RGBA pixels are opaque. */
async function isOpaque(pixels: Buffer): Promise<boolean> {
  for (let from = 0; from < pixels.length; from += PIXELS_PER_TURN * 16) {
    const end = Math.min(pixels.length, from + PIXELS_PER_TURN * 16);
    for (let at = from + 3; at < end; at += 4) if (pixels[at] !== 255) return false;
    await nextTurn();
  }
  return true;
}

/**
 * Chooses the background on which a transparent RGBA image is recognizable: white letters would
 * disappear on white. Compares how clear the edges are on each, by the squares of their contrast.
 */
async function chooseBackground(pixels: Buffer, width: number): Promise<Background> {
  const rows = pixels.length / 4 / width;
  const step = Math.max(1, Math.ceil((rows * width) / MAX_PIXELS));
  const edges = BACKGROUNDS.map(() => 0);
  const rowsPerTurn = Math.max(1, Math.floor(PIXELS_PER_TURN / width));
  for (let row = 0, done = 1; row < rows; row += step, done++) {
    countEdges(pixels, row * width, width, row + 1 < rows, edges);
    if (done % rowsPerTurn === 0) await nextTurn();
  }
  const best = Math.max(...edges);
  if ((edges[0] ?? 0) >= best * ENOUGH) return 'white';
  return BACKGROUNDS[edges.indexOf(best)]?.[0] ?? 'white';
}

/** Compares each pixel of a row with its neighbors to the right and below. */
function countEdges(
  pixels: Buffer,
  start: number,
  width: number,
  hasRowBelow: boolean,
  edges: number[],
): void {
  for (let x = 0; x < width; x++) {
    const at = (start + x) * 4;
    if (x + 1 < width) countEdge(pixels, at, at + 4, edges);
    if (hasRowBelow) countEdge(pixels, at, at + width * 4, edges);
  }
}

function countEdge(pixels: Buffer, one: number, other: number, edges: number[]): void {
  const [alpha, otherAlpha] = [pixels[one + 3] ?? 0, pixels[other + 3] ?? 0];
  if (alpha === 0 && otherAlpha === 0) return;
  const red = (pixels[one] ?? 0) * alpha - (pixels[other] ?? 0) * otherAlpha;
  const green = (pixels[one + 1] ?? 0) * alpha - (pixels[other + 1] ?? 0) * otherAlpha;
  const blue = (pixels[one + 2] ?? 0) * alpha - (pixels[other + 2] ?? 0) * otherAlpha;
  for (let at = 0; at < edges.length; at++) {
    const behind = (BACKGROUNDS[at]?.[1] ?? 255) * (otherAlpha - alpha);
    const contrast =
      Math.max(Math.abs(red + behind), Math.abs(green + behind), Math.abs(blue + behind)) / 255;
    if (contrast > MIN_CONTRAST)
      edges[at] = (edges[at] ?? 0) + Math.min(contrast, MAX_CONTRAST) ** 2;
  }
}
