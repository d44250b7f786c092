import { join, sep } from 'node:path';

export const PANEL_SCHEME = 'app';
export const PANEL_URL = `${PANEL_SCHEME}://panel/index.html`;

export function isPanelUrl(url: string): boolean {
  const { protocol, host } = new URL(url);
  return protocol === `${PANEL_SCHEME}:` && host === 'panel';
}

/** Allows only the panel's own files, plus data and blob URLs for the image that a user drops. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Maps a panel URL to a file in `folder`; undefined for any other URL or a path outside it. */
export function toPanelFile(url: string, folder: string): string | undefined {
  if (!isPanelUrl(url)) return undefined;
  const { pathname } = new URL(url);
  const file = join(folder, decodeURIComponent(pathname));
  return file.startsWith(folder + sep) ? file : undefined;
}

export interface Rectangle {
  x: number;
  y: number;
  width: number;
  height: number;
}

const GAP = 4;

/**
 * Where the panel opens: centered below its icon, inside the display. If the icon is hidden (macOS 26
 * allows this, and then reports a position off screen), in the upper right corner.
 */
export function placePanel(
  icon: Rectangle,
  panel: Pick<Rectangle, 'width' | 'height'>,
  workArea: Rectangle,
): { x: number; y: number } {
  const right = workArea.x + workArea.width - panel.width - GAP;
  const isHidden = icon.width === 0 || icon.y >= workArea.y + workArea.height;
  const centered = icon.x + icon.width / 2 - panel.width / 2;
  const x = isHidden ? right : Math.min(Math.max(centered, workArea.x + GAP), right);
  const below = isHidden ? workArea.y : Math.max(icon.y + icon.height, workArea.y);
  return { x: Math.round(x), y: Math.round(below + GAP) };
}
