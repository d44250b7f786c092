import { readGifStructure } from './gif-structure.ts';
import type { ImageFormat } from './image-format.ts';
import { readJpegStructure } from './jpeg-structure.ts';
import { readPngStructure } from './png-structure.ts';
import { readTiffStructure } from './tiff-structure.ts';
import { readWebpStructure } from './webp-structure.ts';

/** Frames of an animation or pages of a document; the first one is sent. */
export interface Parts {
  count: number;
  unit: 'frames' | 'pages';
}

/**
 * What the structure of an image file says before any pixel is decoded. libvips reports less, reads some
 * kinds wrongly, and its error texts may belong to another request (libvips/libvips#707).
 */
export interface ImageStructure {
  /** Names an intact file that the decoder cannot read or reads wrongly, such as "a 12-bit JPEG". */
  unsupported?: string;
  parts?: Parts;
  /** Channels besides the colors whose meaning the file does not say. They are not transparency. */
  extraChannels?: number;
  /** Whether the pixels that the first frame does not cover are transparent. */
  isPartlyCovered?: boolean;
  /** The file to decode in place of the given one. */
  decodable?: () => Buffer;
  /**
   * The same image without metadata, which other decoders may fail on or interpret. Undefined if the
   * file cannot be taken apart; the image is then encoded anew.
   */
  withoutMetadata?: () => Buffer | undefined;
  /** Why decoding has failed, if the structure shows it. */
  findDamage?: () => string | undefined;
}

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
