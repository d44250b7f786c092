import { record } from '../record.ts';
import { fromLoopback, isLoopback } from './address.ts';
import type { Answer, Session } from './connection.ts';

// A sandbox without `allow-popups` has Chromium itself refuse every popup, with null for the page,
// as Electron does when the window-open handler denies it.
const NO_POPUPS =
  'sandbox allow-scripts allow-same-origin allow-forms allow-modals allow-downloads allow-pointer-lock';

export interface RequestHost {
  /** Answers a request for one of the app's own schemes; undefined when there is no such thing. */
  answer(request: Request, details: { isFetch: boolean }): Promise<Response | undefined>;
  /** Asked before the window's document is replaced. */
  mayNavigate(url: string): boolean;
}

/**
 * Answers a page's requests with the app's protocol handler. What goes elsewhere is refused and
 * recorded: no test reaches the network.
 */
export async function interceptRequests(
  session: Session,
  frameId: string,
  host: RequestHost,
): Promise<void> {
  const intercept = async ({ requestId, request, resourceType, frameId: frame }: Answer) => {
    const refuse = (errorReason: string) =>
      session.send('Fetch.failRequest', { requestId, errorReason });
    const url = fromLoopback(request.url);
    const isDocument = resourceType === 'Document' && frame === frameId;
    if (isDocument && !host.mayNavigate(url)) return await refuse('Aborted');
    const isFetch = resourceType === 'Fetch' || resourceType === 'XHR';
    const response = isLoopback(request.url)
      ? await host.answer(toRequest(url, request), { isFetch })
      : undefined;
    if (response === undefined) {
      record('request refused', url);
      return await refuse('BlockedByClient');
    }
    const responseHeaders = [...response.headers].map(([name, value]) => ({ name, value }));
    if (isDocument) responseHeaders.push({ name: 'content-security-policy', value: NO_POPUPS });
    return await session.send('Fetch.fulfillRequest', {
      requestId,
      responseCode: response.status,
      responseHeaders,
      body: Buffer.from(await response.arrayBuffer()).toString('base64'),
    });
  };
  session.on('Fetch.requestPaused', (paused) => {
    // A request that its page has given up meanwhile cannot be answered any more.
    intercept(paused).catch((error: Error) => record('request failed', error.message));
  });
  await session.send('Fetch.enable', { patterns: [{ urlPattern: '*' }] });
}

function toRequest(url: string, { method, headers, postData }: Answer): Request {
  const body = postData === undefined ? {} : { body: postData };
  return new Request(url, { method, headers, ...body });
}
