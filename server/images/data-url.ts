import { ImageError } from './image-error.ts';
import { toByteText } from './image-rules.ts';

/** A picture's file; `base64` is its text when that is at hand in the standard form. */
export interface ImageSource {
  bytes: Buffer;
  base64?: string;
}

const LONGEST_HEAD = 1024;

export function isDataUrl(url: string): boolean {
  return /^\s*data:/i.test(url.slice(0, 64));
}

/**
 * Decodes a base64 data URL; its media type is ignored, the bytes tell. Line breaks, percent-encoding
 * and the URL-safe alphabet are put right, for Python's decoder would silently skip them. Throws an
 * ImageError.
 */
export function readDataUrl(url: string, maxBytes: number): ImageSource {
  const comma = url.slice(0, LONGEST_HEAD).indexOf(',');
  if (comma === -1) {
    throw new ImageError(
      'image_invalid_url',
      'Expected a data URL such as data:image/png;base64,..., got one without a comma before its data.',
    );
  }
  if (!/;\s*base64\s*$/i.test(url.slice(0, comma))) {
    throw new ImageError(
      'image_invalid_url',
      'Expected the data URL to be base64, got one without ";base64" before its comma. ' +
        'Encode the file as base64: data:image/png;base64,...',
    );
  }
  const text = url.slice(comma + 1);
  if (text.length > Math.ceil(maxBytes / 3) * 4) {
    throw new ImageError(
      'image_too_large',
      `Expected an image of at most ${toByteText(maxBytes)}, got about ` +
        `${toByteText(Math.floor(text.length / 4) * 3)} in a data URL. Send a smaller image.`,
    );
  }
  const bytes = Buffer.from(text, 'base64');
  if (isStandard(text, bytes)) return { bytes, base64: text };
  return { bytes: decodeUnusual(text) };
}

/**
 * Node skips what is no base64, so the right number of bytes means that nothing was skipped; of
 * what it also takes, the URL-safe alphabet and characters beyond ASCII are left to exclude.
 */
function isStandard(text: string, bytes: Buffer): boolean {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  return (
    text.length > 0 &&
    text.length % 4 === 0 &&
    bytes.length === (text.length / 4) * 3 - padding &&
    !text.includes('-') &&
    !text.includes('_') &&
    Buffer.byteLength(text) === text.length
  );
}

function decodeUnusual(text: string): Buffer {
  const compact = decodePercent(text)
    .replace(/\s+/g, '')
    .replaceAll('-', '+')
    .replaceAll('_', '/')
    .replace(/={1,2}$/, '');
  const wrong = compact.search(/[^A-Za-z0-9+/]/);
  if (compact === '' || wrong !== -1 || compact.length % 4 === 1) {
    throw new ImageError(
      'image_invalid_url',
      `Expected base64 after the comma of the data URL, got ${describeFault(compact, wrong)}. ` +
        'Encode the whole file as base64, without quotes or other text around it.',
    );
  }
  return Buffer.from(compact, 'base64');
}

function decodePercent(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function describeFault(compact: string, wrong: number): string {
  if (compact === '') return 'nothing';
  if (wrong === -1) return 'a text whose last characters are missing';
  return `a character that is not base64 at position ${wrong + 1}`;
}
