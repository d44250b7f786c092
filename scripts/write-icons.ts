import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';

// `npm run icons` draws the icons of the menu bar: template images, black with alpha, 18 points, a
// sight glass whose shape is the state. A test holds the files to these drawings.

const POINTS = 18;
const glass = '<circle cx="9" cy="9" r="7.2" fill="none" stroke="#000" stroke-width="1.5"/>';
const stroke = 'fill="none" stroke="#000" stroke-width="1.5" stroke-linecap="round"';

const DRAWINGS: Readonly<Record<string, string>> = {
  stopped: `${glass}<path d="M4.6 13.4 13.4 4.6" ${stroke}/>`,
  loading: `${glass}<g fill="#000"><circle cx="5.6" cy="9" r="1.1"/><circle cx="9" cy="9" r="1.1"/><circle cx="12.4" cy="9" r="1.1"/></g>`,
  ready: `${glass}<path d="M3.6 11a5.8 5.8 0 0 0 10.8 0z"/>`,
  busy: `${glass}<path d="M4 6.2a5.8 5.8 0 1 0 10 0z"/>`,
  failed: `${glass}<path d="M9 5.2v4.4" ${stroke}/><circle cx="9" cy="12.4" r="1"/>`,
};

/** The files of one drawing, for displays of one and of two pixels a point. */
export async function drawIcons(): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for (const [state, drawing] of Object.entries(DRAWINGS)) {
    for (const scale of [1, 2]) {
      const pixels = POINTS * scale;
      const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${pixels}" height="${pixels}" viewBox="0 0 ${POINTS} ${POINTS}">${drawing}</svg>`;
      const name = `${state}Template${scale === 1 ? '' : `@${scale}x`}.png`;
      files.set(name, await sharp(Buffer.from(svg)).png({ compressionLevel: 9 }).toBuffer());
    }
  }
  return files;
}

export const ICON_FOLDER = fileURLToPath(new URL('../resources/icons', import.meta.url));

if (import.meta.main) {
  await mkdir(ICON_FOLDER, { recursive: true });
  for (const [name, png] of await drawIcons()) await sharp(png).toFile(join(ICON_FOLDER, name));
}
