const SUFFIX = '.standin.localhost';

/**
 * Chromium knows no `app://` scheme. A page of it is opened under a name of loopback instead, which
 * is a secure context too; no request for such a name leaves the browser.
 */
export function toLoopback(url: string): string {
  const { protocol, host, pathname, search, hash } = new URL(url);
  return `http://${host}.${protocol.slice(0, -1)}${SUFFIX}${pathname}${search}${hash}`;
}

/** The app's own URL again; others stay what they are. */
export function fromLoopback(url: string): string {
  if (!isLoopback(url)) return url;
  const { hostname, pathname, search, hash } = new URL(url);
  const names = hostname.slice(0, -SUFFIX.length).split('.');
  const scheme = names.pop();
  return `${scheme}://${names.join('.')}${pathname}${search}${hash}`;
}

export function isLoopback(url: string): boolean {
  return URL.canParse(url) && new URL(url).hostname.endsWith(SUFFIX);
}
