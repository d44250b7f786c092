import { isUtf8 } from 'node:buffer';
import { fileTypeFromBuffer } from 'file-type';

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

const FITS = 'SIMPLE  =';

/** The part of a file to examine, which limits the detector's work on hostile files. */
const HEAD_BYTES = 8192;

/** Detects the format from the bytes, because file names and declared types are unreliable. */
export function detectFormat(bytes: Buffer): ImageFormat | undefined {
  const head = bytes.toString('latin1', 0, 32);
  return SIGNATURES.find(([, signature]) => startsWith(head, signature))?.[0];
}

/** Names the content of a file in an unsupported format, and says what to send instead. */
export async function describeContent(bytes: Buffer): Promise<[name: string, remedy: string]> {
  const head = bytes.subarray(0, HEAD_BYTES);
  if (head.length === 0) return ['an empty file', SEND_IMAGE];
  const isWhole = head.length === bytes.length;
  if (isText(head, isWhole)) {
    return (
      nameNetpbm(head) ?? nameText(bytes) ?? nameBase64(head) ?? ['text, not an image', SEND_IMAGE]
    );
  }
  const image = nameImage(bytes);
  if (image !== undefined) return [image, CONVERT];
  const found = await fileTypeFromBuffer(head).catch(() => undefined);
  if (found === undefined) return nameNetpbm(head) ?? ['an unknown format', CONVERT];
  const { ext, mime } = found;
  const known = NAMES[ext];
  if (known !== undefined) return [known, mime.startsWith('image/') ? CONVERT : SEND_IMAGE];
  if (mime.startsWith('image/')) return [ext.toUpperCase(), CONVERT];
  const [kind = ''] = mime.split('/');
  if (kind === 'video') return ['a video', 'Send a frame of it as PNG or JPEG.'];
  return [kind === 'audio' ? 'an audio file' : `a ${ext.toUpperCase()} file`, SEND_IMAGE];
}

const CONVERT = 'Convert the image to PNG or JPEG.';
const SEND_IMAGE = 'Send the bytes of an image file.';

/** Names for the detector's abbreviations. */
const NAMES: Readonly<Record<string, string>> = {
  ico: 'an icon (ICO)',
  cur: 'a cursor (CUR)',
  icns: 'an Apple icon (ICNS)',
  jp2: 'JPEG 2000',
  jpx: 'JPEG 2000',
  jpm: 'JPEG 2000',
  mj2: 'JPEG 2000',
  j2c: 'JPEG 2000',
  jxl: 'JPEG XL',
  jxr: 'JPEG XR',
  heic: 'HEIC',
  avif: 'AVIF',
  psd: 'a Photoshop document (PSD)',
  eps: 'EPS',
  ps: 'PostScript',
  pdf: 'PDF',
  dcm: 'DICOM',
  zip: 'a zip archive',
  gz: 'gzip data',
  xml: 'XML',
  cfb: 'an OLE compound file, such as an older Office document',
};

/** Image formats that the detector does not know or gets wrong. `?` stands for any byte. */
const OTHER_SIGNATURES: readonly (readonly [string, string])[] = [
  ['a DirectDraw surface (DDS)', 'DDS '],
  ['an SGI image', '\x01\xda'],
  ['FITS', FITS],
  ['QOI', 'qoif'],
  ['BLP', 'BLP1'],
  ['BLP', 'BLP2'],
  ['PCX', '\x0a?\x01\x01'],
  ['PCX', '\x0a?\x01\x02'],
  ['PCX', '\x0a?\x01\x04'],
  ['PCX', '\x0a?\x01\x08'],
  ['PCX of several pages (DCX)', '\xb1\x68\xde\x3a'],
  ['a Sun raster image', '\x59\xa6\x6a\x95'],
  ['a FLIC animation (FLI)', '????\x11\xaf'],
  ['a FLIC animation (FLC)', '????\x12\xaf'],
  ['a Windows metafile (WMF)', '\xd7\xcd\xc6\x9a'],
  ['a Windows metafile (EMF)', `\x01\0\0\0${'?'.repeat(36)} EMF`],
  ['a bitmap without its file header (DIB)', '(\0\0\0????????\x01\0'],
  ['GD', '\xff\xff????\0'],
  ['GD', '\xff\xfe????\x01'],
  ['GD', 'gd2\0'],
];

/** Recognizes image formats without a signature at their start, or that share a signature. */
function nameImage(bytes: Buffer): string | undefined {
  const head = bytes.toString('latin1', 0, 200);
  if (head.slice(4, 8) === 'ftyp') return nameIsoImage(bytes);
  if (bytes.toString('latin1', Math.max(0, bytes.length - 18)).startsWith('TRUEVISION-XFILE.')) {
    return 'Targa (TGA)';
  }
  if (head.slice(128, 132) === 'DICM') return 'DICOM';
  if (head.startsWith('\xff\x4f\xff\x51')) return 'JPEG 2000';
  if (head.startsWith('\xc5\xd0\xd3\xc6')) return 'EPS';
  const known = OTHER_SIGNATURES.find(([, signature]) => startsWith(head, signature))?.[0];
  if (known !== undefined) return known;
  if (isTarga(bytes)) return 'Targa (TGA)';
  return undefined;
}

/** Reads the brands of an ISO media file (HEIF, ISO/IEC 23008-12); `mif1` alone does not name a codec. */
function nameIsoImage(bytes: Buffer): string | undefined {
  if (bytes.length < 16) return undefined;
  const end = Math.min(bytes.length, bytes.readUInt32BE(0), 512);
  const brands = [bytes.toString('latin1', 8, 12)];
  for (let at = 16; at + 4 <= end; at += 4) brands.push(bytes.toString('latin1', at, at + 4));
  if (brands.some((brand) => brand === 'avif' || brand === 'avis')) return 'AVIF';
  if (brands.some((brand) => /^he[iv][cxms]$/.test(brand))) return 'HEIC';
  return brands.some((brand) => /^m[is]f[12]$/.test(brand)) ? 'HEIF' : undefined;
}

/** Targa has no signature, so all fields of its header are checked (Targa 2.0, page 6). */
function isTarga(bytes: Buffer): boolean {
  if (bytes.length < 18) return false;
  const [mapType = 0, imageType = 0] = [bytes[1], bytes[2]];
  const [bits = 0, flags = 0] = [bytes[16], bytes[17]];
  const isMapped = imageType === 1 || imageType === 9;
  return (
    [1, 2, 3, 9, 10, 11].includes(imageType) &&
    mapType === (isMapped ? 1 : mapType & 1) &&
    bytes.readUInt16LE(12) > 0 &&
    bytes.readUInt16LE(14) > 0 &&
    [8, 15, 16, 24, 32].includes(bits) &&
    (flags & 0xc0) === 0
  );
}

function isText(head: Buffer, isWhole: boolean): boolean {
  // The end of the head may split a character.
  const whole = isWhole ? head : head.subarray(0, head.length - 4);
  const isUnicode =
    isUtf8(whole) || [1, 2, 3].some((cut) => isUtf8(head.subarray(0, head.length - cut)));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they distinguish data from text.
  return isUnicode && !/[\0-\x08\x0e-\x1a\x1c-\x1f]/.test(head.toString('latin1'));
}

/** Recognizes text formats by what follows comments, declarations and whitespace. */
function nameText(bytes: Buffer): [string, string] | undefined {
  const start = skipComments(bytes);
  const text = bytes.toString('utf8', start, start + 100);
  if (text.startsWith('%!PS')) {
    return [text.slice(0, 40).includes('EPSF') ? 'EPS' : 'PostScript', CONVERT];
  }
  if (text.startsWith(FITS)) return ['FITS', CONVERT];
  if (text.startsWith('%PDF')) return ['PDF', 'Send a page of it as PNG or JPEG.'];
  if (text.startsWith('{') || text.startsWith('[')) return ['JSON', SEND_IMAGE];
  if (/^#define\s+\S+_width\b/.test(text)) return ['XBM', CONVERT];
  if (text.startsWith('/* XPM')) return ['XPM', CONVERT];
  if (/^(?:<!doctype svg|<(?:\w+:)?svg\b)/i.test(text)) return ['SVG', CONVERT];
  if (/^<(?:!doctype html|(?:html|head|body|title|script|div|p|h1|meta)\b)/i.test(text)) {
    return ['HTML', 'Check that the URL points to the image itself, not to a page about it.'];
  }
  return text.startsWith('<') ? ['XML', SEND_IMAGE] : undefined;
}

/** Returns the offset after a byte order mark, declarations and comments of any length. */
function skipComments(bytes: Buffer): number {
  let at = bytes[0] === 0xef ? 3 : 0;
  for (let count = 0; count < 1000; count++) {
    while (isSpace(bytes[at])) at += 1;
    const end = ENDS.find(
      ([start]) => bytes.toString('latin1', at, at + start.length) === start,
    )?.[1];
    const found = end === undefined ? -1 : bytes.indexOf(end, at);
    if (end === undefined || found === -1) break;
    at = found + end.length;
  }
  return at;
}

const ENDS = [
  ['<!--', '-->'],
  ['<?', '?>'],
] as const;

function isSpace(byte = 0): boolean {
  return byte === 0x20 || (byte >= 9 && byte <= 13);
}

const NETPBM: Readonly<Record<string, string>> = {
  1: 'PBM',
  2: 'PGM',
  3: 'PPM',
  4: 'PBM',
  5: 'PGM',
  6: 'PPM',
  7: 'PAM',
  F: 'PFM',
  f: 'PFM',
};

function nameNetpbm(head: Buffer): [string, string] | undefined {
  const [, kind = ''] = /^P([1-7Ff])\s/.exec(head.toString('latin1', 0, 4)) ?? [];
  const name = NETPBM[kind];
  return name === undefined ? undefined : [name, CONVERT];
}

/** Recognizes an image that was encoded as base64 twice, or a data URL in a data URL. */
function nameBase64(head: Buffer): [string, string] | undefined {
  const text = head.toString('latin1').replace(/\s+/g, '');
  const data = text.replace(/^data:[^,]{0,200},/i, '');
  const isBase64 = data.length >= 16 && /^[A-Za-z0-9+/_-]+={0,2}$/.test(data);
  if (!isBase64) return undefined;
  const inner = Buffer.from(data.slice(0, 400), 'base64');
  const isImage =
    detectFormat(inner) !== undefined || /^[A-Za-z0-9+/]{40}/.test(inner.toString('latin1'));
  if (!isImage && text === data) return undefined;
  return [
    'base64 inside base64: the data was encoded twice',
    'Encode the bytes of the image file once.',
  ];
}

function startsWith(head: string, signature: string): boolean {
  if (head.length < signature.length) return false;
  return [...signature].every((character, at) => character === '?' || character === head[at]);
}

/** Frames of an animation or pages of a document; the first one is sent. */
export interface Parts {
  count: number;
  unit: 'frames' | 'pages';
}

/**
 * What the structure of an image file reveals before any pixel is decoded. libvips reports less, reads
 * some variants wrongly, and its error texts may belong to another request (libvips/libvips#707).
 */
export interface ImageStructure {
  /** The name of an unsupported variant that the decoder would not read correctly: "a 12-bit JPEG". */
  unsupported?: string;
  parts?: Parts;
  /** Channels besides the colors, of unspecified meaning. They are not transparency. */
  extraChannels?: number;
  /** Whether the first frame leaves pixels uncovered, and so transparent. */
  isPartlyCovered?: boolean;
  /** The file to decode instead of the given one. */
  decodable?: () => Buffer;
  /**
   * The same image without metadata, which other decoders may fail on or apply. Undefined if the file
   * cannot be split into its parts; the image is then re-encoded.
   */
  withoutMetadata?: () => Buffer | undefined;
  /** Why decoding failed, if the structure shows it. */
  findDamage?: () => string | undefined;
}
