import { isIP } from 'node:net';
import { MAX_URL_CHARACTERS } from '../limits.ts';
import { createAddressError } from './checked-lookup.ts';
import { ImageError } from './image-error.ts';
import { isPublicAddress } from './public-address.ts';

const ACCEPTED = 'an http(s) URL or a base64 data URL';
const LONGEST_PATH = 60;

/**
 * Parses the URL of a picture, or of a redirect from `base`, and checks all that can be known
 * without a connection. Throws an ImageError.
 */
export function parseImageUrl(text: string, allowPrivate: boolean, base?: URL): URL {
  const url = text.length > MAX_URL_CHARACTERS ? null : URL.parse(text, base?.href);
  // The text is not shown: it may be a picture's base64 without its prefix.
  if (url === null) {
    throw new ImageError(
      'image_invalid_url',
      `Expected the image URL to be ${ACCEPTED}, got ${nameNoUrl(text)}. ` +
        'Files are not read from their path: send their content as data:image/png;base64,...',
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
      `Expected an image URL without user name and password, got one for ${url.host}. ` +
        'Download the image and send it as a base64 data URL.',
    );
  }
  if (!allowPrivate && isPrivateHost(url)) throw createAddressError(url.hostname);
  return url;
}

function nameNoUrl(text: string): string {
  if (text.length > MAX_URL_CHARACTERS) return 'a text that is too long for a URL';
  return text.trim() === '' ? 'an empty string' : 'a text that is no URL';
}

/** Origin and path, shortened: what may be shown of a URL. */
export function describeUrl({ origin, pathname }: URL): string {
  const short = pathname.length > LONGEST_PATH ? `${pathname.slice(0, LONGEST_PATH)}...` : pathname;
  return origin + short;
}

/** A socket asks no resolver for a literal address, so these are judged here. */
function isPrivateHost({ hostname }: URL): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').replace(/\.+$/, '');
  if (isIP(host) !== 0) return !isPublicAddress(host);
  return host === 'localhost' || host.endsWith('.localhost');
}
