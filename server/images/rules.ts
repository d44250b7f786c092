import { DECODE_SECONDS } from '../limits.ts';

/** What a picture may cost and where it may come from. */
export interface ImageRules {
  /** Whether URLs may lead to private, loopback, link-local and other non-public addresses. */
  allowPrivateUrls: boolean;
  /** An e-mail address or web page that image hosts may want to know; none by default. */
  contact?: string | undefined;
  /** Of the file, as downloaded or as decoded from a data URL. */
  maxBytes: number;
  /** A larger picture is scaled down, its aspect ratio kept. */
  maxPixels: number;
  /** A larger picture is refused by its header, unread. */
  maxSourcePixels: number;
  /** For the whole of a download, name resolution and redirects included. */
  timeoutMs: number;
  maxRedirects: number;
  /** Decoding is aborted after this time. sharp requires a whole number. */
  decodeSeconds: number;
}

/**
 * The rules unless the settings change them. 2^27 pixels admit the largest cameras (108 megapixels);
 * the memory that libvips needs for such a file is checked separately.
 */
export const DEFAULT_RULES = {
  allowPrivateUrls: false,
  maxBytes: 20 * 1024 * 1024,
  maxPixels: 4_194_304,
  maxSourcePixels: 2 ** 27,
  timeoutMs: 30_000,
  maxRedirects: 5,
  decodeSeconds: DECODE_SECONDS,
} as const satisfies ImageRules;

export type ImageErrorCode =
  | 'image_invalid_url'
  | 'image_scheme_not_allowed'
  | 'image_address_not_allowed'
  | 'image_unreachable'
  | 'image_timeout'
  | 'image_http_error'
  | 'image_too_many_redirects'
  | 'image_too_large'
  | 'image_unsupported_format'
  | 'image_unreadable'
  | 'image_aspect_ratio';

/**
 * Why a picture that a client named is not used. The message is for that client: it never holds
 * a picture's data, a URL's credentials or its query.
 */
export class ImageError extends Error {
  override readonly name = 'ImageError';
  readonly code: ImageErrorCode;
  /** The HTTP status to answer with. */
  readonly status: 400 | 413;
  /** Which of the URLs given to `loadAll` it is about. */
  index?: number;

  constructor(code: ImageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.status = code === 'image_too_large' ? 413 : 400;
  }
}
