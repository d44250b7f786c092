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

export interface Rectangle {
  x: number;
  y: number;
  width: number;
  height: number;
}

const GAP = 4;

/**
 * Where the panel opens: centred under its icon, inside the display. Without an icon to be seen
 * (macOS 26 can hide it, and then tells a place off the screen) in the upper right corner.
 */
export function placePanel(
  icon: Rectangle,
  panel: Pick<Rectangle, 'width' | 'height'>,
  workArea: Rectangle,
): { x: number; y: number } {
  const right = workArea.x + workArea.width - panel.width - GAP;
  const isHidden = icon.width === 0 || icon.y >= workArea.y + workArea.height;
  const centred = icon.x + icon.width / 2 - panel.width / 2;
  const x = isHidden ? right : Math.min(Math.max(centred, workArea.x + GAP), right);
  const below = isHidden ? workArea.y : Math.max(icon.y + icon.height, workArea.y);
  return { x: Math.round(x), y: Math.round(below + GAP) };
}
