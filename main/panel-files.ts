import { join, sep } from 'node:path';

export const PANEL_SCHEME = 'app';
export const PANEL_URL = `${PANEL_SCHEME}://panel/index.html`;

export function isPanelUrl(url: string): boolean {
  const { protocol, host } = new URL(url);
  return protocol === `${PANEL_SCHEME}:` && host === 'panel';
}

/** Nothing but the panel's own files; pictures also as data, for the one a person drops. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The file that a URL of the panel names; undefined for what is not the panel's. */
export function toPanelFile(url: string, folder: string): string | undefined {
  if (!isPanelUrl(url)) return undefined;
  const { pathname } = new URL(url);
  const file = join(folder, decodeURIComponent(pathname));
  return file.startsWith(folder + sep) ? file : undefined;
}
