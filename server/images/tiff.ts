import type { ImageStructure } from './format.ts';

/** Directories to read; each is a page, a thumbnail or a mask. */
const MAX_DIRECTORIES = 10_000;
const MAX_VALUES = 16;
const TYPE_BYTES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];

const TAG = {
  kind: 254,
  oldKind: 255,
  bits: 258,
  compression: 259,
  photometric: 262,
  stripOffsets: 273,
  samples: 277,
  stripBytes: 279,
  planar: 284,
  ink: 332,
  tileWidth: 322,
  tileOffsets: 324,
  tileBytes: 325,
  subDirectories: 330,
  extraSamples: 338,
  sampleFormat: 339,
} as const;

const BY_TAG = new Map<number, keyof typeof TAG>(
  Object.entries(TAG).map(([name, tag]) => [tag, name as keyof typeof TAG]),
);

/** Compressions of TIFF 6.0 and its supplements that libvips's libtiff reads. */
const READABLE = new Set([1, 2, 3, 4, 5, 7, 8, 32773, 32946, 32771]);

const COMPRESSIONS: Readonly<Record<number, string>> = {
  6: 'old-style JPEG',
  9: 'JBIG',
  10: 'JBIG',
  32766: 'NeXT',
  32809: 'ThunderScan',
  32909: 'PixarLog',
  33003: 'JPEG 2000',
  33004: 'JPEG 2000',
  33005: 'JPEG 2000',
  34661: 'JBIG',
  34676: 'SGILOG',
  34677: 'SGILOG24',
  34712: 'JPEG 2000',
  34887: 'LERC',
  34892: 'lossy DNG',
  34925: 'LZMA',
  50000: 'ZSTD',
  50001: 'WebP',
  50002: 'JPEG XL',
  52546: 'JPEG XL',
};

const COLORS: Readonly<Record<number, string>> = {
  8: 'CIELAB',
  9: 'ICC Lab',
  10: 'ITU Lab',
  32803: 'camera sensor (CFA)',
  32844: 'LogL',
  32845: 'LogLuv',
  34892: 'linear raw',
};

const SAMPLE_FORMATS: Readonly<Record<number, string>> = {
  2: 'signed integer',
  3: 'floating-point',
  5: 'complex integer',
  6: 'complex floating-point',
};

type Directory = Partial<Record<keyof typeof TAG, number[]>> & { next: number };

/** Reads the directories of a TIFF to count its pages and find what libvips does not read correctly. */
export function readTiffStructure(bytes: Buffer): ImageStructure {
  const directories = readDirectories(bytes);
  const [first] = directories;
  if (first === undefined) return { findDamage: () => 'its first directory is missing' };
  const pages = directories.filter((directory) => !isThumbnail(directory)).length;
  const unsupported = nameUnsupported(first);
  const extraChannels = countExtraChannels(first);
  return {
    ...(unsupported !== undefined && { unsupported: `a TIFF ${unsupported}` }),
    ...(pages > 1 && { parts: { count: pages, unit: 'pages' as const } }),
    ...(extraChannels > 0 && { extraChannels }),
    findDamage: () => findDamage(first, bytes.length),
  };
}

function readDirectories(bytes: Buffer): Directory[] {
  const reader = createReader(bytes);
  const seen = new Set<number>();
  const directories: Directory[] = [];
  let at = reader.first();
  while (at > 0 && !seen.has(at) && directories.length < MAX_DIRECTORIES) {
    seen.add(at);
    const directory = reader.directory(at);
    if (directory === undefined) break;
    directories.push(directory);
    at = directory.next;
  }
  return directories;
}

/** Reads both byte orders, and BigTIFF with its 64-bit offsets. */
function createReader(bytes: Buffer) {
  const isLittle = bytes[0] === 0x49;
  const isBig = (isLittle ? bytes[2] : bytes[3]) === 43;
  const [countBytes, entryBytes, offsetBytes] = isBig ? [8, 20, 8] : [2, 12, 4];
  const number = (at: number, size: number): number => {
    if (at < 0 || at + size > bytes.length) return 0;
    if (size === 1) return bytes.readUInt8(at);
    if (size === 8) return Number(isLittle ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at));
    return isLittle ? bytes.readUIntLE(at, size) : bytes.readUIntBE(at, size);
  };
  const values = (entry: number): number[] => {
    const size = TYPE_BYTES[number(entry + 2, 2)] ?? 0;
    const count = number(entry + 4, offsetBytes);
    if (size === 0) return [];
    const inline = entry + 4 + offsetBytes;
    const from = size * count <= offsetBytes ? inline : number(inline, offsetBytes);
    return Array.from({ length: Math.min(count, MAX_VALUES) }, (_, i) =>
      number(from + i * size, size),
    );
  };
  return {
    first: () => (isBig ? number(8, 8) : number(4, 4)),
    directory(at: number): Directory | undefined {
      const count = number(at, countBytes);
      const end = at + countBytes + count * entryBytes;
      if (count === 0 || end > bytes.length) return undefined;
      const directory: Directory = { next: number(end, offsetBytes) };
      for (let entry = at + countBytes; entry < end; entry += entryBytes) {
        const name = BY_TAG.get(number(entry, 2));
        if (name !== undefined) directory[name] = values(entry);
      }
      return directory;
    },
  };
}

/** A smaller copy of another image in the file, or a mask (TIFF 6.0, page 36). */
function isThumbnail({ kind, oldKind }: Directory): boolean {
  return ((kind?.[0] ?? 0) & 5) !== 0 || oldKind?.[0] === 2;
}

function nameUnsupported(directory: Directory): string | undefined {
  const { bits = [1], sampleFormat = [1] } = directory;
  const [samples = 1] = directory.samples ?? [];
  const [compression = 1] = directory.compression ?? [];
  const [photometric = 0] = directory.photometric ?? [];
  const isTiled = directory.tileWidth !== undefined;
  const isSplit = directory.planar?.[0] === 2 && samples > 1;
  if (isThumbnail(directory) && directory.subDirectories !== undefined) {
    return 'that holds camera raw data (only its thumbnail could be read)';
  }
  if (!READABLE.has(compression)) {
    const name = COMPRESSIONS[compression] ?? `unknown (${compression})`;
    return `with ${name} compression`;
  }
  const colors = COLORS[photometric];
  if (colors !== undefined) return `with ${colors} colors`;
  if (photometric === 6 && compression !== 7) return 'with YCbCr colors without JPEG compression';
  const format = sampleFormat.map((value) => SAMPLE_FORMATS[value]).find((name) => name);
  if (format !== undefined) return `with ${format} samples`;
  if (bits.some((each) => each !== bits[0])) return `with ${bits.join('+')} bits per pixel`;
  const [depth = 1] = bits;
  const isDeepEnough = samples > 1 ? [8, 16] : [1, 2, 4, 8, 16];
  if (!isDeepEnough.includes(depth)) return `with ${depth} bits per sample`;
  if (isTiled && isSplit) return 'with tiles in separate color planes';
  if (photometric === 5 && directory.ink?.[0] === 2) return 'with inks other than CMYK';
  const colorSamples = samples - countExtra(directory);
  const expected = COLOR_SAMPLES[photometric];
  if (expected !== undefined && colorSamples < expected) {
    return `with ${samples} channels where ${expected} are expected`;
  }
  return undefined;
}

/** Colors of a pixel by photometric interpretation. */
const COLOR_SAMPLES: Readonly<Record<number, number>> = {
  0: 1,
  1: 1,
  2: 3,
  3: 1,
  4: 1,
  5: 4,
  6: 3,
};

/** Channels listed in tag 338, or without the tag, those beyond the expected number. */
function countExtra({ samples, photometric, extraSamples }: Directory): number {
  const expected = COLOR_SAMPLES[photometric?.[0] ?? 0] ?? 0;
  return Math.max(0, extraSamples?.length ?? (samples?.[0] ?? 1) - expected);
}

/**
 * Extra channels that are not transparency: according to TIFF 6.0, page 31, an ExtraSamples value of 0
 * is unspecified. Only the first may be transparency, because decoders read no other as such. Without
 * the tag, a fourth channel of RGB is transparency, as viewers assume.
 */
function countExtraChannels(directory: Directory): number {
  const extra = countExtra(directory);
  const { extraSamples, photometric } = directory;
  const isAlpha =
    extraSamples === undefined ? photometric?.[0] === 2 : [1, 2].includes(extraSamples[0] ?? 0);
  return isAlpha && extra === 1 ? 0 : extra;
}

function findDamage(directory: Directory, length: number): string | undefined {
  const offsets = directory.tileOffsets ?? directory.stripOffsets ?? [];
  const sizes = directory.tileBytes ?? directory.stripBytes ?? [];
  if (offsets.length === 0) return 'its directory does not list any pixel data';
  const isCut = offsets.some((offset, at) => offset + (sizes[at] ?? 0) > length);
  return isCut ? 'its pixel data lies beyond its end' : undefined;
}
