import type { ImageFormat, ImageStructure } from './format.ts';
import { readGifStructure } from './gif.ts';
import { readJpegStructure } from './jpeg.ts';
import { readPngStructure } from './png.ts';
import { readTiffStructure } from './tiff.ts';
import { readWebpStructure } from './webp.ts';

const READERS: Partial<Record<ImageFormat, (bytes: Buffer) => ImageStructure>> = {
  png: readPngStructure,
  jpeg: readJpegStructure,
  webp: readWebpStructure,
  gif: readGifStructure,
  tiff: readTiffStructure,
};

/** Never throws: what is damaged is left to the decoder, and named once that has failed. */
export function readStructure(bytes: Buffer, format: ImageFormat): ImageStructure {
  return READERS[format]?.(bytes) ?? {};
}
