import { isIP } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { MAX_URL_CHARACTERS } from '../limits.ts';
import { Bytes, decodeBase64, JsonPieces, LongText, SLICE_BYTES } from '../long-text.ts';
import { toSize } from '../size.ts';
import { createAddressError, isPublicAddress } from './address.ts';
import { ImageError } from './rules.ts';

const ACCEPTED = 'an http(s) URL or a base64 data URL';
const LONGEST_PATH = 60;

/**
 * Parses the URL of an image, or of a redirect from `base`, and checks everything that can be checked
 * without a connection.
 * @throws ImageError
 */
export function parseImageUrl(text: string, allowPrivate: boolean, base?: URL): URL {
  const url = text.length > MAX_URL_CHARACTERS ? null : URL.parse(text, base?.href);
  // Do not show the text: it may be the base64 of an image, without its prefix.
  if (url === null) {
    throw new ImageError(
      'image_invalid_url',
      `Expected the image URL to be ${ACCEPTED}, got ${describeInvalid(text)}. ` +
        'File paths are not supported: send the content of the file as data:image/png;base64,...',
    );
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new ImageError(
      'image_scheme_not_allowed',
      `Expected the image URL to be ${ACCEPTED}, got ${base ? 'a redirect to ' : ''}a ${url.protocol.slice(0, 20)} URL. ` +
        'Send the content of a local file as data:image/png;base64,...',
    );
  }
  if (url.username !== '' || url.password !== '') {
    throw new ImageError(
      'image_invalid_url',
      `The image URL for ${url.host} must not contain a user name or password. ` +
        'Download the image and send it as a base64 data URL.',
    );
  }
  if (!allowPrivate && isPrivateHost(url)) throw createAddressError(url.hostname);
  return url;
}

function describeInvalid(text: string): string {
  if (text.length > MAX_URL_CHARACTERS) return 'a string that is too long for a URL';
  return text.trim() === '' ? 'an empty string' : 'a string that is not a URL';
}

/** The parts of a URL that may be shown: origin and path, shortened. */
export function describeUrl({ origin, pathname }: URL): string {
  const short = pathname.length > LONGEST_PATH ? `${pathname.slice(0, LONGEST_PATH)}...` : pathname;
  return origin + short;
}

/** Checks literal addresses and localhost, which sockets connect to without a lookup. */
function isPrivateHost({ hostname }: URL): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').replace(/\.+$/, '');
  if (isIP(host) !== 0) return !isPublicAddress(host);
  return host === 'localhost' || host.endsWith('.localhost');
}

const LONGEST_HEAD = 1024;

/** A file as a data URL that is encoded only when it is written. */
export class DataUrl extends JsonPieces {
  readonly mediaType: string;
  readonly bytes: Buffer;

  constructor(mediaType: string, bytes: Buffer) {
    super();
    this.mediaType = mediaType;
    this.bytes = bytes;
  }

  override get jsonBytes(): number {
    return this.#head.length + Math.ceil(this.bytes.length / 3) * 4;
  }

  override toString(): string {
    return this.#head + this.bytes.toString('base64');
  }

  override *jsonPieces(): Generator<Buffer> {
    yield Buffer.from(this.#head);
    for (let at = 0; at < this.bytes.length; at += SLICE_BYTES) {
      yield Buffer.from(this.bytes.toString('base64', at, at + SLICE_BYTES), 'latin1');
    }
  }

  get #head(): string {
    return `data:${this.mediaType};base64,`;
  }
}

export function isDataUrl(url: string | LongText): boolean {
  if (typeof url === 'string') return /^\s*data:/i.test(url.slice(0, 64));
  return url.isBase64 || /^\s*data:/i.test(headOf(url));
}

/**
 * Decodes a base64 data URL. Its media type is ignored; the bytes decide. Accepts line breaks,
 * percent-encoding and the URL-safe alphabet, which Python's decoder would silently skip.
 * @throws ImageError
 */
export async function readDataUrl(url: string | LongText, maxBytes: number): Promise<Buffer> {
  const text = typeof url === 'string' ? toLongText(url) : url;
  const start = text.isBase64 ? 0 : base64Start(headOf(text));
  const length = text.length - start;
  if (length > Math.ceil(maxBytes / 3) * 4) {
    throw new ImageError(
      'image_too_large',
      `Expected an image of at most ${toSize(maxBytes)}, got about ` +
        `${toSize(Math.floor(length / 4) * 3)} in a data URL. Send a smaller image.`,
    );
  }
  return (
    (await decodeBase64(text.slices(start), length)) ?? decodeUnusual(text.slices(start), length)
  );
}

function toLongText(url: string): LongText {
  const bytes = new Bytes();
  bytes.append(Buffer.from(url));
  return new LongText(bytes, false);
}

/** Latin-1, so that positions in the text are positions in the bytes. */
function headOf(url: LongText): string {
  const [first] = url.slices();
  return first?.toString('latin1', 0, LONGEST_HEAD) ?? '';
}

/** Where the base64 of a data URL starts. */
function base64Start(head: string): number {
  const comma = head.indexOf(',');
  if (comma === -1) {
    throw new ImageError(
      'image_invalid_url',
      'The data URL has no comma before its data. Send it as data:image/png;base64,...',
    );
  }
  if (!/;\s*base64\s*$/i.test(head.slice(0, comma))) {
    throw new ImageError(
      'image_invalid_url',
      'The data URL must be base64, but has no ";base64" before its comma. ' +
        'Encode the file as base64: data:image/png;base64,...',
    );
  }
  return comma + 1;
}

/** Decodes base64 from lenient encoders, slice by slice: a large image has many line breaks. */
async function decodeUnusual(slices: Iterable<Buffer>, length: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let held = '';
  let [read, seen] = [0, 0];
  if (length === 0) throw createBase64Error(0, '', -1);
  for (const slice of slices) {
    read += slice.length;
    const isLast = read === length;
    const [decoded, cut] = decodePercent(held + slice.toString('latin1'), isLast);
    const compact = decoded.replace(/\s+/g, '').replaceAll('-', '+').replaceAll('_', '/');
    const padding = /={0,2}$/.exec(compact)?.[0] ?? '';
    const data = compact.slice(0, compact.length - padding.length);
    const wrong = data.search(/[^A-Za-z0-9+/]/);
    if (wrong !== -1 || (isLast && (seen + data.length === 0 || data.length % 4 === 1))) {
      throw createBase64Error(seen, data, wrong);
    }
    const whole = isLast ? data.length : data.length - (data.length % 4);
    pieces.push(Buffer.from(data.slice(0, whole), 'base64'));
    seen += whole;
    held = data.slice(whole) + padding + cut;
    if (!isLast) await nextTurn();
  }
  return Buffer.concat(pieces);
}

/** Undoes percent-encoding; also returns an escape that continues in the next slice. */
function decodePercent(text: string, isLast: boolean): [decoded: string, cut: string] {
  const last = text.lastIndexOf('%');
  if (last === -1) return [text, ''];
  const end = isLast || last < text.length - 2 ? text.length : last;
  const decoded = text
    .slice(0, end)
    .replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  return [decoded, text.slice(end)];
}

function createBase64Error(seen: number, data: string, wrong: number): ImageError {
  const fault =
    wrong !== -1
      ? `a character that is not base64 at position ${seen + wrong + 1}`
      : seen + data.length === 0
        ? 'nothing'
        : 'data whose last characters are missing';
  return new ImageError(
    'image_invalid_url',
    `Expected base64 after the comma of the data URL, got ${fault}. ` +
      'Encode the whole file as base64, without quotes or other text around it.',
  );
}
