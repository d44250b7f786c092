import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { ImageLoader } from '../../../server/images/loader.ts';
import { drawShape, toDataUrl } from '../../support/pictures.ts';
import { imageError } from './picture-server.ts';

const { signal } = new AbortController();
const loader = new ImageLoader({ maxPixels: 10_000 });
const load = (bytes: Buffer) => loader.load(toDataUrl(bytes, 'image/png'), signal);

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}

function pngClaiming(width: number, height: number): Buffer {
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 0, 0, 0]);
  header.writeUInt32BE(width);
  header.writeUInt32BE(height, 4);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.alloc(1000))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** Screen and frame: where they differ, libvips believes the frame. */
async function gifClaiming(width: number, height: number): Promise<Buffer> {
  const bytes = await drawShape({ shape: 'star', color: 'red', format: 'gif' });
  const frame = bytes.indexOf(Buffer.from([0x2c, 0, 0, 0, 0, 128, 0, 128, 0]));
  for (const at of [6, frame + 5]) {
    bytes.writeUInt16LE(width, at);
    bytes.writeUInt16LE(height, at + 2);
  }
  return bytes;
}

/** A lossless WebP packs its width and height, less one, into 14 bits each. */
async function webpClaiming(width: number, height: number): Promise<Buffer> {
  const bytes = await sharp(await drawShape({ shape: 'star', color: 'red' }))
    .webp({ lossless: true })
    .toBuffer();
  assert.equal(bytes.toString('latin1', 12, 16), 'VP8L');
  bytes.writeUInt32LE(width - 1 + (height - 1) * 2 ** 14, 21);
  return bytes;
}

const BOMBS: [string, () => Buffer | Promise<Buffer>][] = [
  ['PNG of 60000x60000', () => pngClaiming(60_000, 60_000)],
  ['GIF of 60000x60000', () => gifClaiming(60_000, 60_000)],
  ['WebP of 16383x16383', () => webpClaiming(16_383, 16_383)],
];
for (const [what, make] of BOMBS) {
  test(`a ${what} is refused by its header`, async () => {
    await assert.rejects(load(await make()), {
      code: 'image_too_large',
      status: 413,
      message: /at most 134217728 pixels/,
    });
  });
}

test('a large image is scaled down, and its original size is reported', async () => {
  const bytes = await drawShape({ shape: 'heart', color: 'red', width: 400, height: 100 });
  const { dataUrl, ...rest } = await load(bytes);
  assert.deepEqual(rest, {
    format: 'png',
    width: 200,
    height: 50,
    scaledFrom: { width: 400, height: 100 },
  });
  const sent = await sharp(Buffer.from(String(dataUrl).slice(22), 'base64')).metadata();
  assert.deepEqual([sent.format, sent.width, sent.height], ['png', 200, 50]);
});

test('an image turned by EXIF is scaled by its displayed size', async () => {
  const bytes = await sharp(
    await drawShape({ shape: 'star', color: 'red', width: 400, height: 100 }),
  )
    .withMetadata({ orientation: 6 })
    .jpeg()
    .toBuffer();
  const { dataUrl, ...rest } = await load(bytes);
  assert.deepEqual(rest, {
    format: 'jpeg',
    width: 50,
    height: 200,
    scaledFrom: { width: 100, height: 400 },
  });
  const sent = await sharp(Buffer.from(String(dataUrl).slice(23), 'base64')).metadata();
  assert.deepEqual([sent.format, sent.width, sent.height], ['jpeg', 50, 200]);
});

test('an image with exactly the allowed pixels is passed on', async () => {
  const bytes = await drawShape({ shape: 'heart', color: 'red', width: 100, height: 100 });
  assert.equal(String((await load(bytes)).dataUrl), toDataUrl(bytes, 'image/png'));
});

test('an image with the maximum aspect ratio of 200 keeps it when scaled down', async () => {
  const bytes = await drawShape({ shape: 'heart', color: 'red', width: 13, height: 2600 });
  const { width, height } = await load(bytes);
  assert.deepEqual([width, height], [7, 1400]);
});

for (const [width, height] of [
  [201, 1],
  [2, 403],
] as const) {
  test(`${width}x${height} exceeds the maximum aspect ratio`, async () => {
    const bytes = await drawShape({ shape: 'star', color: 'red', width, height });
    await assert.rejects(load(bytes), imageError('image_aspect_ratio'));
  });
}

test('very large images are loaded one after another', async () => {
  const bytes = await sharp({
    create: { width: 4200, height: 4200, channels: 3, background: 'red' },
  })
    .png()
    .toBuffer();
  const loaded = await Promise.all([load(bytes), load(bytes)]);
  assert.deepEqual(
    loaded.map(({ width, scaledFrom }) => [width, scaledFrom?.width]),
    [
      [100, 4200],
      [100, 4200],
    ],
  );
});
