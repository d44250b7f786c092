import sharp from 'sharp';

export type Shape = 'circle' | 'square' | 'triangle' | 'star' | 'cross' | 'heart';

interface Drawing {
  shape: Shape;
  /** CSS colors. */
  color: string;
  background?: string;
  width?: number;
  height?: number;
  format?: 'png' | 'jpeg' | 'webp' | 'gif' | 'tiff';
}

type Point = readonly [x: number, y: number];

const CORNERS = {
  square: () => [
    [-0.8, -0.8],
    [0.8, -0.8],
    [0.8, 0.8],
    [-0.8, 0.8],
  ],
  triangle: () => [0, 2, 4].map((third) => around((third * Math.PI) / 3)),
  star: () => range(10).map((i) => around((i * Math.PI) / 5, i % 2 === 0 ? 1 : 0.42)),
  cross: () =>
    [0, 1, 2, 3].flatMap((quarter) =>
      [
        [-0.3, -1],
        [0.3, -1],
        [0.3, -0.3],
      ].map(([x = 0, y = 0]) => turn([x, y], quarter)),
    ),
  heart: () =>
    range(40).map((i) => {
      const t = (i * Math.PI) / 20;
      const y = 13 * Math.cos(t) - 5 * Math.cos(2 * t) - 2 * Math.cos(3 * t) - Math.cos(4 * t);
      return [(16 * Math.sin(t) ** 3) / 17, -y / 17];
    }),
} satisfies Record<Exclude<Shape, 'circle'>, () => Point[]>;

/**
 * One large shape in the middle, as in the demo model's training data (resources/models/demo's recipe:
 * `outline` in data.py, `plain` in evaluate.py). It answers "A red circle on a white background."
 */
export async function drawShape(drawing: Drawing): Promise<Buffer> {
  const { shape, color, background = 'white', width = 128, height = 128, format } = drawing;
  const radius = 0.3 * Math.min(width, height);
  const place = ([x, y]: Point) => `${width / 2 + x * radius},${height / 2 + y * radius}`;
  const figure =
    shape === 'circle'
      ? `<circle cx="${width / 2}" cy="${height / 2}" r="${radius}" fill="${color}"/>`
      : `<polygon points="${CORNERS[shape]().map(place).join(' ')}" fill="${color}"/>`;
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">` +
    `<rect width="100%" height="100%" fill="${background}"/>${figure}</svg>`;
  return sharp(Buffer.from(svg))
    .flatten({ background })
    .toFormat(format ?? 'png')
    .toBuffer();
}

/** A circle, for tests that only need some picture. */
export function circlePng(
  color: string,
  { size = 128, background = 'white' }: { size?: number; background?: string } = {},
): Promise<Buffer> {
  return drawShape({ shape: 'circle', color, background, width: size, height: size });
}

export function toDataUrl(bytes: Buffer, mediaType: string): string {
  return `data:${mediaType};base64,${bytes.toString('base64')}`;
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

/** The point at an angle from the top, clockwise. */
const around = (angle: number, radius = 1): Point => [
  radius * Math.sin(angle),
  -radius * Math.cos(angle),
];

function turn([x, y]: Point, quarters: number): Point {
  return quarters === 0 ? [x, y] : turn([-y, x], quarters - 1);
}

/** The image as a JPEG with a color profile that exchanges red and blue. */
export async function exchangeRedAndBlue(image: Buffer): Promise<Buffer> {
  const { icc } = await sharp(
    await sharp(image).withIccProfile('srgb').png().toBuffer(),
  ).metadata();
  if (icc === undefined) throw new TypeError('sharp has added no profile.');
  // The directory of tags says where each color is: exchange two names.
  for (let at = 132; at < 132 + 12 * icc.readUInt32BE(128); at += 12) {
    const name = icc.toString('latin1', at, at + 4);
    if (name === 'rXYZ') icc.write('bXYZ', at, 'latin1');
    if (name === 'bXYZ') icc.write('rXYZ', at, 'latin1');
  }
  const jpeg = await sharp(image).jpeg().toBuffer();
  // JPEG's APP2 (ICC.1, B.4).
  const data = Buffer.concat([Buffer.from('ICC_PROFILE\0\x01\x01', 'latin1'), icc]);
  const head = Buffer.from([0xff, 0xe2, 0, 0]);
  head.writeUInt16BE(data.length + 2, 2);
  return Buffer.concat([jpeg.subarray(0, 2), head, data, jpeg.subarray(2)]);
}
