import sharp from 'sharp';

const SIZE = 320;
const SHAPES: readonly string[] = [
  '<circle cx="160" cy="160" r="100" fill="red"/>',
  '<rect x="70" y="70" width="180" height="180" fill="blue"/>',
  '<polygon points="160,50 270,260 50,260" fill="green"/>',
  '<circle cx="90" cy="160" r="55" fill="orange"/><circle cx="230" cy="160" r="55" fill="orange"/>',
  '<rect x="40" y="40" width="90" height="90" fill="purple"/><circle cx="220" cy="220" r="60" fill="black"/>',
  '<ellipse cx="160" cy="160" rx="130" ry="60" fill="gray"/>',
  '<text x="160" y="200" font-size="120" text-anchor="middle" font-family="sans-serif">42</text>',
  '<polygon points="160,40 195,130 290,130 212,185 242,280 160,222 78,280 108,185 30,130 125,130" fill="gold"/>',
];

/** Eight simple pictures, each unlike the others, as data URLs. */
export function drawPictures(): Promise<string[]> {
  return Promise.all(
    SHAPES.map(async (shape) => {
      const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${SIZE}" height="${SIZE}"><rect width="100%" height="100%" fill="white"/>${shape}</svg>`;
      const png = await sharp(Buffer.from(svg)).png().toBuffer();
      return `data:image/png;base64,${png.toString('base64')}`;
    }),
  );
}
