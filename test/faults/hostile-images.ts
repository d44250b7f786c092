import { randomBytes, randomInt } from 'node:crypto';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { toDataUrl } from '../support/pictures.ts';

const SIGNATURE = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);

/** A picture of random pixels, which does not compress, as a data URL. */
export async function noisePng(width: number, height: number): Promise<string> {
  const raw = { width, height, channels: 3 as const };
  const png = await sharp(randomBytes(width * height * 3), { raw })
    .png()
    .toBuffer();
  return toDataUrl(png, 'image/png');
}

/** Data URLs of images that are large, slow to decode, damaged or mislabelled. */
export async function hostileImages(count: number): Promise<string[]> {
  const valid = await validImages();
  const files = await Promise.all(BOMBS.map(async (create) => create()));
  while (files.length < count) {
    const { bytes, type } = valid[files.length % valid.length] ?? {
      bytes: Buffer.alloc(0),
      type: '',
    };
    files.push(toDataUrl(damage(bytes, files.length), type));
  }
  return files.slice(0, count);
}

async function validImages() {
  const picture = sharp({ create: { width: 200, height: 200, channels: 3, background: 'red' } });
  const formats = ['png', 'jpeg', 'webp', 'gif', 'tiff'] as const;
  return Promise.all(
    formats.map(async (format) => ({
      bytes: await picture.clone().toFormat(format).toBuffer(),
      type: `image/${format}`,
    })),
  );
}

/** Truncates the file, changes some bytes, or inserts bytes. */
function damage(bytes: Buffer, seed: number): Buffer {
  const at = randomInt(8, Math.max(9, bytes.length));
  switch (seed % 3) {
    case 0:
      return bytes.subarray(0, at);
    case 1: {
      const changed = Buffer.from(bytes);
      for (let each = 0; each < 8; each += 1) changed[randomInt(8, bytes.length)] = randomInt(256);
      return changed;
    }
    default:
      return Buffer.concat([bytes.subarray(0, at), randomBytes(200), bytes.subarray(at)]);
  }
}

const png = (bytes: Buffer) => toDataUrl(bytes, 'image/png');

/** Images within the file size limit that are expensive or invalid, each in a different way. */
const BOMBS: readonly (() => string | Promise<string>)[] = [
  () => png(emptyPng(11_500, 11_500, { depth: 16, interlaced: true })),
  () => png(emptyPng(11_500, 11_500, { depth: 8, interlaced: true })),
  () => png(emptyPng(7200, 7200, { depth: 16, interlaced: true, channels: 4 })),
  () => png(emptyPng(16_000, 16_000, { depth: 8, interlaced: false })),
  () => png(emptyPng(65_000, 65_000, { depth: 1, interlaced: false })),
  () => png(emptyPng(2 ** 31 - 1, 1, { depth: 8, interlaced: false })),
  () => png(emptyPng(0, 0, { depth: 8, interlaced: false })),
  () => png(withChunk(emptyPng(64, 64, { depth: 8, interlaced: false }), 'zTXt', textBomb())),
  () => png(withChunk(emptyPng(64, 64, { depth: 8, interlaced: false }), 'iCCP', profileBomb())),
  () => noisePng(2500, 2500),
  async () => toDataUrl(await slowJpeg(), 'image/jpeg'),
  async () => toDataUrl(await slowJpeg(6), 'image/jpeg'),
  async () => toDataUrl(await slowWebp(), 'image/webp'),
  async () => toDataUrl(await manyFrames(), 'image/gif'),
  () => toDataUrl(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), 'image/svg+xml'),
  () => toDataUrl(Buffer.from('<html>not a picture</html>'), 'image/png'),
  () => toDataUrl(Buffer.alloc(0), 'image/png'),
  () => toDataUrl(randomBytes(100_000), 'image/jpeg'),
  () => png(SIGNATURE),
];

/** A single-colour PNG, which is a small file for any size. Its uncompressed data is capped at 500 MB. */
function emptyPng(
  width: number,
  height: number,
  { depth, interlaced, channels = 1 }: { depth: number; interlaced: boolean; channels?: 1 | 4 },
): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, channels === 4 ? 6 : 0, 0, 0, Number(interlaced)], 8);
  const bytes = Math.min(500e6, Math.ceil((width * depth * channels) / 8 + 8) * height);
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.alloc(bytes), { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const typeAndData = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const bytes = Buffer.alloc(typeAndData.length + 8);
  bytes.writeUInt32BE(data.length, 0);
  bytes.set(typeAndData, 4);
  bytes.writeUInt32BE(crc32(typeAndData), typeAndData.length + 4);
  return bytes;
}

/** Inserts a chunk after the header. */
function withChunk(file: Buffer, type: string, data: Buffer): Buffer {
  return Buffer.concat([file.subarray(0, 33), chunk(type, data), file.subarray(33)]);
}

function textBomb(): Buffer {
  return Buffer.concat([Buffer.from('Comment\0\0', 'latin1'), deflateSync(Buffer.alloc(200e6))]);
}

function profileBomb(): Buffer {
  return Buffer.concat([Buffer.from('p\0\0', 'latin1'), deflateSync(Buffer.alloc(200e6))]);
}

/** A progressive JPEG, whose decoder needs the whole image in memory. */
function slowJpeg(orientation = 1): Promise<Buffer> {
  return sharp({ create: { width: 9000, height: 9000, channels: 3, background: 'red' } })
    .withMetadata({ orientation })
    .jpeg({ progressive: true, quality: 10 })
    .toBuffer();
}

function slowWebp(): Promise<Buffer> {
  return sharp({ create: { width: 8000, height: 8000, channels: 3, background: 'red' } })
    .webp({ quality: 1, effort: 0 })
    .toBuffer();
}

async function manyFrames(): Promise<Buffer> {
  const frames = 300;
  const raw = { width: 64, height: 64 * frames, channels: 3 as const, pageHeight: 64 };
  return sharp(randomBytes(64 * 64 * frames * 3), { raw })
    .gif({ effort: 1 })
    .toBuffer();
}
