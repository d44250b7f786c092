import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import sharp from 'sharp';
import { ImageLoader } from '../../../server/images/loader.ts';
import { drawShape, exchangeRedAndBlue, toDataUrl } from '../../support/pictures.ts';

// Whether the runtime is sent what a careful viewer shows.

const loader = new ImageLoader();
const { signal } = new AbortController();
const load = (bytes: Buffer) => loader.load(toDataUrl(bytes, 'image/png'), signal);

async function firstPixel(bytes: Buffer): Promise<number[]> {
  const { dataUrl } = await load(bytes);
  return [...(await sharp(dataUrl.bytes).removeAlpha().raw().toBuffer()).subarray(0, 3)];
}

const red = { create: { width: 8, height: 8, channels: 3 as const, background: 'red' } };

test('an image with a wide-gamut profile is converted, and one with sRGB is passed on', async () => {
  const wide = await sharp(red).withIccProfile('p3').png().toBuffer();
  const plain = await sharp(red).withIccProfile('srgb').png().toBuffer();
  assert.equal((await sharp((await load(wide)).dataUrl.bytes).metadata()).icc, undefined);
  const [redness = 0, green = 0] = await firstPixel(wide);
  assert(redness >= 253 && green <= 3, `${redness} ${green}`);
  assert.deepEqual(await firstPixel(plain), [255, 0, 0]);
});

test('a profile that exchanges red and blue is applied, even if it is called sRGB', async () => {
  const bytes = await sharp(red).png().toBuffer();
  const [redness = 255, , blue = 0] = await firstPixel(await exchangeRedAndBlue(bytes));
  assert(redness < 20 && blue > 235, `${redness} ${blue}`);
});

for (const [color, background] of [
  ['white', 'black'],
  ['#f5f5f5', 'black'],
  ['black', 'white'],
  ['red', 'white'],
] as const) {
  test(`${color} content on transparency is shown on ${background}`, async () => {
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><circle cx="32" cy="32" r="20" fill="${color}"/></svg>`;
    const loaded = await load(await sharp(Buffer.from(svg)).png().toBuffer());
    assert.equal(loaded.background, background);
  });
}

test('broken metadata of a PNG does not reach the runtime', async () => {
  const bytes = await drawShape({ shape: 'circle', color: 'red' });
  const text = Buffer.from('\0\0\0\x03tEXta\0b\0\0\0\0', 'latin1'); // a wrong checksum
  const broken = Buffer.concat([bytes.subarray(0, 33), text, bytes.subarray(33)]);
  assert.notEqual(crc32(broken.subarray(37, 44)), 0);
  const { dataUrl } = await load(broken);
  assert.deepEqual(dataUrl.bytes, bytes);
});

test('an orientation in XMP only is applied to opaque and transparent images', async () => {
  const xmp =
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></r:RDF></x:xmpmeta>';
  for (const channels of [3, 4] as const) {
    const background = { r: 255, g: 0, b: 0, alpha: 0.5 };
    const image = sharp({ create: { width: 20, height: 10, channels, background } });
    const { width, height } = await load(await image.withXmp(xmp).png().toBuffer());
    assert.deepEqual([width, height], [10, 20], String(channels));
  }
});

test('an intact 12-bit JPEG is refused by name, not as damaged', async () => {
  const bytes = await sharp(red).jpeg().toBuffer();
  const frame = bytes.indexOf(Buffer.from([0xff, 0xc0]));
  bytes[frame + 4] = 12;
  await assert.rejects(load(bytes), {
    code: 'image_unsupported_format',
    message: /a JPEG with 12 bits per sample/,
  });
});

test('omitted frames and pages are counted', async () => {
  const frames = await Promise.all(
    ['red', 'blue', 'green'].map((background) =>
      sharp({ create: { ...red.create, background } })
        .png()
        .toBuffer(),
    ),
  );
  for (const [format, unit] of [
    ['gif', 'frames'],
    ['webp', 'frames'],
    ['tiff', 'pages'],
  ] as const) {
    const bytes = await sharp(frames, { join: { animated: true } })
      .toFormat(format)
      .toBuffer();
    assert.deepEqual((await load(bytes)).parts, { count: 3, unit });
  }
});

test('a PNG without pixel data is reported as such', async () => {
  const bytes = await drawShape({ shape: 'circle', color: 'red' });
  const empty = Buffer.concat([bytes.subarray(0, 33), bytes.subarray(-12)]);
  await assert.rejects(load(empty), {
    code: 'image_unreadable',
    message: /no pixel data \(IDAT\)/,
  });
});

test('areas that the first frame of a GIF does not cover are white', async () => {
  const gif = await sharp(red).gif().toBuffer();
  gif.writeUInt16LE(2 * gif.readUInt16LE(6), 6);
  const loaded = await load(gif);
  const pixels = await sharp(loaded.dataUrl.bytes).removeAlpha().raw().toBuffer();
  assert.deepEqual([...pixels.subarray(3 * (loaded.width - 1), 3 * loaded.width)], [255, 255, 255]);
  assert.equal(loaded.width, 2 * red.create.width);
});

test('a PNG in Apple’s own format is refused by name, not as damaged', async () => {
  const bytes = await sharp(red).png().toBuffer();
  const chunk = Buffer.from('\0\0\0\x04CgBI\x50\0\x20\x02\0\0\0\0', 'latin1');
  const apple = Buffer.concat([bytes.subarray(0, 8), chunk, bytes.subarray(8)]);
  await assert.rejects(load(apple), { code: 'image_unsupported_format', message: /CgBI/ });
});

test('the reason for refusing an image is its own, even if others fail at the same time', async () => {
  const whole = await drawShape({ shape: 'star', color: 'green' });
  const jpeg = await sharp(whole).jpeg().toBuffer();
  const gif = await sharp(whole).gif().toBuffer();
  const broken = [
    whole.subarray(0, whole.length / 2),
    Buffer.concat([whole.subarray(0, 33), whole.subarray(-12)]),
    jpeg.subarray(0, jpeg.length / 2),
    gif.subarray(0, gif.length / 2),
    Buffer.concat([Buffer.from('II*\0\x08\0\0\0', 'latin1'), whole]),
  ];
  const reason = (bytes: Buffer) => load(bytes).then(String, (error: Error) => error.message);
  const alone: string[] = [];
  for (const bytes of broken) alone.push(await reason(bytes));
  assert.equal(new Set(alone).size, broken.length, alone.join('\n'));
  for (let round = 0; round < 20; round++) {
    assert.deepEqual(await Promise.all(broken.map(reason)), alone);
  }
});
