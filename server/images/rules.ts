import { DECODE_SECONDS } from '../limits.ts';

/** Limits on images and their sources. */
export interface ImageRules {
  /** Whether URLs may point to private, loopback, link-local and other non-public addresses. */
  allowPrivateUrls: boolean;
  /** An e-mail address or web page to send to image hosts; none by default. */
  contact?: string | undefined;
  /** Size of the file, as downloaded or decoded from a data URL. */
  maxBytes: number;
  /** A larger image is scaled down, keeping its aspect ratio. */
  maxPixels: number;
  /** An image with more pixels according to its header is refused without decoding it. */
  maxSourcePixels: number;
  /** For a whole download, including name resolution and redirects. */
  timeoutMs: number;
  maxRedirects: number;
  /** Decoding is aborted after this time. sharp requires an integer. */
  decodeSeconds: number;
}

/**
 * The rules, unless the settings change them. 2^27 pixels are enough for the largest cameras (108
 * megapixels); the memory that libvips needs for such a file is checked separately.
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
 * A client's image cannot be used. The message is meant for that client: it never contains image data,
 * or the credentials or query of a URL.
 */
export class ImageError extends Error {
  override readonly name = 'ImageError';
  readonly code: ImageErrorCode;
  /** The HTTP status to answer with. */
  readonly status: 400 | 413;
  /** The index of the image among those given to `loadAll`. */
  index?: number;

  constructor(code: ImageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.status = code === 'image_too_large' ? 413 : 400;
  }
}
