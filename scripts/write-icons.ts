import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';

// `npm run icons`: draws the app icon and the menu bar icons. Those are template images (black with alpha,
// 18 points) of a sight glass whose content shows the state. A test checks that the files are up to date.

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

/** Draws the menu bar icons at 1x and 2x. Returns them by file name. */
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

/** Draws the app icon: 1024 pixels, with the usual margin of macOS icons. */
function drawAppIcon(): Promise<Buffer> {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="1024" height="1024" viewBox="0 0 1024 1024">
    <defs>
      <linearGradient id="body" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="#f7f8fa"/><stop offset="1" stop-color="#c9ced6"/></linearGradient>
      <linearGradient id="level" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="#4aa3ff"/><stop offset="1" stop-color="#0052c2"/></linearGradient>
      <clipPath id="glass"><circle cx="512" cy="512" r="270"/></clipPath>
    </defs>
    <rect x="100" y="100" width="824" height="824" rx="185" fill="url(#body)"/>
    <circle cx="512" cy="512" r="320" fill="#2b3038"/>
    <circle cx="512" cy="512" r="270" fill="#eaf3ff"/>
    <rect x="232" y="540" width="560" height="260" fill="url(#level)" clip-path="url(#glass)"/>
    <path d="M330 400a210 210 0 0 1 150-100" fill="none" stroke="#fff" stroke-width="34" stroke-linecap="round"/>
  </svg>`;
  return sharp(Buffer.from(svg)).png({ compressionLevel: 9 }).toBuffer();
}

/** The types of PNG images in an .icns file, with their sizes. A size that appears twice is also a 2x image. */
const ICNS_TYPES: readonly [type: string, pixels: number][] = [
  ['icp4', 16],
  ['ic11', 32],
  ['icp5', 32],
  ['ic12', 64],
  ['ic07', 128],
  ['ic13', 256],
  ['ic08', 256],
  ['ic14', 512],
  ['ic09', 512],
  ['ic10', 1024],
];

/** The app icon as an .icns file: a header, then a PNG for each size, with its type and length. */
export async function drawIcns(): Promise<Buffer> {
  const whole = await drawAppIcon();
  const entries = ICNS_TYPES.map(async ([type, pixels]) => {
    const png = await sharp(whole).resize(pixels, pixels).png({ compressionLevel: 9 }).toBuffer();
    return Buffer.concat([toHeader(type, png.length), png]);
  });
  const body = Buffer.concat(await Promise.all(entries));
  return Buffer.concat([toHeader('icns', body.length), body]);
}

function toHeader(type: string, length: number): Buffer {
  const header = Buffer.alloc(8);
  header.write(type, 'latin1');
  header.writeUInt32BE(length + 8, 4);
  return header;
}

export const APP_ICON = fileURLToPath(new URL('../resources/build/icon.icns', import.meta.url));
export const ICON_FOLDER = fileURLToPath(new URL('../resources/icons', import.meta.url));

if (import.meta.main) {
  await mkdir(ICON_FOLDER, { recursive: true });
  await writeFile(APP_ICON, await drawIcns());
  for (const [name, png] of await drawIcons()) await sharp(png).toFile(join(ICON_FOLDER, name));
}
