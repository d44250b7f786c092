import { Agent, type Dispatcher, request } from 'undici';
import { toSize } from '../size.ts';
import { sightglassVersion } from '../version.ts';
import { createCheckedLookup, type Resolve } from './address.ts';
import { ImageError, type ImageRules } from './rules.ts';
import { describeUrl, parseImageUrl } from './url.ts';

/** Counts the bytes of images in memory; `grow` throws at the limit. */
export interface ImageMemory {
  grow(bytes: number): void;
  shrink(bytes: number): void;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** Identifies us as image hosts require: name, version and contact (RFC 9110, 10.1.5). */
function toHeaders({ contact }: ImageRules) {
  const comment = contact === undefined ? '' : ` (${contact})`;
  return {
    'user-agent': `Sightglass/${sightglassVersion()}${comment}`,
    accept: 'image/*',
    'accept-encoding': 'identity',
  };
}

/**
 * Downloads an image, checking every redirect like the first URL. Closes its connections at the end.
 * @throws ImageError, what `memory` throws at its limit, or the signal's reason
 */
export async function fetchImage(
  text: string,
  { rules, resolve, memory }: { rules: ImageRules; resolve: Resolve; memory: ImageMemory },
  signal: AbortSignal,
): Promise<Buffer> {
  const url = parseImageUrl(text, rules.allowPrivateUrls);
  const timeout = AbortSignal.timeout(rules.timeoutMs);
  const combined = AbortSignal.any([signal, timeout]);
  const lookup = createCheckedLookup(resolve, rules.allowPrivateUrls);
  let refused: unknown;
  const grow = (bytes: number) => {
    try {
      memory.grow(bytes);
    } catch (error) {
      refused = error;
      throw error;
    }
  };
  const agent = new Agent({
    pipelining: 0,
    allowH2: false,
    // The signal is the only deadline, also for a body that arrives slowly.
    headersTimeout: 0,
    bodyTimeout: 0,
    // undici keeps connecting for an aborted request, so the socket needs the signal too.
    connect: { timeout: 0, lookup, signal: combined },
  });
  try {
    const response = await follow(url, rules, { dispatcher: agent, signal: combined });
    return await readBody(response, rules, grow);
  } catch (error) {
    signal.throwIfAborted();
    if (error === refused) throw error;
    throw timeout.aborted ? createTimeoutError(url, rules) : toImageError(error, url);
  } finally {
    await agent.destroy();
  }
}

interface Response extends Dispatcher.ResponseData {
  url: URL;
}

async function follow(
  url: URL,
  rules: ImageRules,
  options: { dispatcher: Agent; signal: AbortSignal },
): Promise<Response> {
  const headers = toHeaders(rules);
  for (let redirects = 0; ; redirects++) {
    const response = await request(url, { ...options, headers });
    // An unread body fails when its connection is closed. Ignore that.
    response.body.on('error', () => {});
    const location = [response.headers['location'] ?? []].flat()[0];
    if (!REDIRECTS.has(response.statusCode) || location === undefined) return { ...response, url };
    response.body.destroy();
    if (redirects >= rules.maxRedirects) {
      throw new ImageError(
        'image_too_many_redirects',
        `The image URL redirects more than ${rules.maxRedirects} times, the last time from ${describeUrl(url)}. ` +
          'Use the final URL of the image.',
      );
    }
    url = parseImageUrl(location, rules.allowPrivateUrls, url);
  }
}

async function readBody(
  { url, statusCode, headers, body }: Response,
  { maxBytes, contact }: ImageRules,
  grow: (bytes: number) => void,
): Promise<Buffer> {
  if (statusCode !== 200) {
    throw new ImageError(
      'image_http_error',
      `Expected ${describeUrl(url)} to answer 200 with an image, got ${statusCode}. ` +
        toRemedy(statusCode, headers['retry-after'], contact),
    );
  }
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') {
    throw new ImageError(
      'image_http_error',
      `Expected ${describeUrl(url)} to send the image uncompressed, got content-encoding ` +
        `${String(encoding).slice(0, 20)}. Send the image as a base64 data URL.`,
    );
  }
  const tooLarge = () =>
    new ImageError(
      'image_too_large',
      `Expected an image of at most ${toSize(maxBytes)}, got more from ${describeUrl(url)}. ` +
        'Use a smaller version of the image.',
    );
  if (Number(headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge();
    grow(chunk.length);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

/** What to do about an HTTP status. A host that blocks or limits programs does not ask for a login. */
function toRemedy(status: number, retryAfter: unknown, contact: string | undefined): string {
  const inline = 'send the image as a base64 data URL';
  const name =
    contact === undefined ? 'set a contact with --contact (some hosts require one), or ' : '';
  if (status === 401 || status === 407) return `The host requires signing in: ${inline}.`;
  if (status === 403) return `The host refused this download: ${name}${inline}.`;
  const when = describeDelay(retryAfter);
  if (status === 429)
    return `The host limits the download rate: try again ${when}, ${name || 'or '}${inline}.`;
  if (status === 503) return `The host is busy: try again ${when}, or ${inline}.`;
  if (status === 404 || status === 410) return 'There is no image at this URL; check it.';
  if (status >= 500) return `The host had an error: try again later, or ${inline}.`;
  return 'Check that the URL leads to an image.';
}

/** Reads Retry-After, which is a number of seconds or a date (RFC 9110, 10.2.3). */
function describeDelay(retryAfter: unknown): string {
  const text = String(retryAfter ?? '');
  const seconds = /^\d{1,9}$/.test(text)
    ? Number(text)
    : Math.ceil((Date.parse(text) - Date.now()) / 1000);
  return seconds > 0 ? `in ${seconds} s` : 'later';
}

function createTimeoutError(url: URL, { timeoutMs }: ImageRules): ImageError {
  return new ImageError(
    'image_timeout',
    `The image from ${describeUrl(url)} did not arrive within ${timeoutMs / 1000} s. ` +
      'Try again, or send it as a base64 data URL.',
  );
}

/** Shows only the code of a failure: its message may contain private addresses. */
function toImageError(error: unknown, url: URL): ImageError {
  if (error instanceof ImageError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  return new ImageError(
    'image_unreachable',
    `Could not fetch the image from ${describeUrl(url)}: ${code}. ` +
      'Check the URL, and that this Mac can reach the host.',
    { cause: error },
  );
}
