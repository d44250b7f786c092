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
