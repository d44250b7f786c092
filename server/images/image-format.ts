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

/** What is sent by mistake, in lower case. */
const OTHERS: readonly (readonly [string, string])[] = [
  ['HEIC', '????ftyphei'],
  ['HEIC', '????ftyphev'],
  ['HEIC', '????ftypmif1'],
  ['AVIF', '????ftypavi'],
  ['a video', '????ftyp'],
  ['a video', 'riff????avi '],
  ['JPEG XL', '\xff\x0a'],
  ['JPEG XL', '\0\0\0\x0cjxl '],
  ['JPEG 2000', '\0\0\0\x0cjp  '],
  ['an icon', '\0\0\x01\0'],
  ['a Photoshop document', '8bps'],
  ['PDF', '%pdf'],
  ['HTML', '<!doctype html'],
  ['HTML', '<html'],
  ['XML', '<?xml'],
  ['JSON', '{'],
  ['JSON', '['],
];

/** What a file is, by its bytes: its name and declared type prove nothing. */
export function detectFormat(bytes: Buffer): ImageFormat | undefined {
  const head = bytes.toString('latin1', 0, 32);
  return SIGNATURES.find(([, signature]) => startsWith(head, signature))?.[0];
}

/** For a message: what a file looks like that is not one of ours. */
export function describeContent(bytes: Buffer): string {
  if (bytes.length === 0) return 'an empty file';
  const head = bytes.toString('latin1', 0, 512).toLowerCase();
  const text = head.replace(/^ï»¿/, '').trimStart();
  if (text.startsWith('<') && text.includes('<svg')) return 'SVG';
  const known = OTHERS.find(([, start]) => startsWith(head, start) || startsWith(text, start));
  return known?.[0] ?? 'an unknown format';
}

function startsWith(head: string, signature: string): boolean {
  if (head.length < signature.length) return false;
  return [...signature].every((character, at) => character === '?' || character === head[at]);
}
