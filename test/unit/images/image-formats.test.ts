import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import sharp from 'sharp';
import { ImageLoader } from '../../../server/images/loader.ts';
import { drawShape, toDataUrl } from '../../support/pictures.ts';
import { imageError } from './picture-server.ts';

const loader = new ImageLoader();
const { signal } = new AbortController();
const load = (bytes: Buffer) => loader.load(toDataUrl(bytes, 'image/png'), signal);
const wide = { shape: 'star', color: 'green', width: 60, height: 40 } as const;

/** The image in a data URL, as raw RGB. */
function decode(dataUrl: string) {
  const bytes = Buffer.from(dataUrl.slice(dataUrl.indexOf(',') + 1), 'base64');
  return sharp(bytes).removeAlpha().raw().toBuffer();
}

for (const format of ['png', 'jpeg', 'webp'] as const) {
  test(`a plain ${format} is passed on byte for byte`, async () => {
    const bytes = await drawShape({ ...wide, format });
    const { dataUrl, ...rest } = await load(bytes);
    assert.equal(String(dataUrl), toDataUrl(bytes, `image/${format}`));
    assert.deepEqual(rest, { format, width: 60, height: 40 });
  });
}

for (const format of ['gif', 'tiff'] as const) {
  test(`a ${format} becomes a PNG of the same pixels`, async () => {
    const bytes = await drawShape({ ...wide, format });
    const { dataUrl, ...rest } = await load(bytes);
    assert.deepEqual(rest, { format, width: 60, height: 40 });
    assert.match(String(dataUrl), /^data:image\/png;base64,/);
    assert.deepEqual(
      await decode(String(dataUrl)),
      await sharp(bytes).removeAlpha().raw().toBuffer(),
    );
  });
}

for (const format of ['gif', 'webp'] as const) {
  test(`the first frame of an animated ${format} is used`, async () => {
    const frame = (background: string) => ({
      create: { width: 20, height: 20, channels: 3 as const, background },
    });
    const frames = await Promise.all(
      ['red', 'blue'].map((color) => sharp(frame(color)).png().toBuffer()),
    );
    const bytes = await sharp(frames, { join: { animated: true } })
      .toFormat(format, { loop: 0, lossless: true })
      .toBuffer();
    assert.equal((await sharp(bytes).metadata()).pages, 2);
    const { dataUrl, width, height } = await load(bytes);
    const [red = 0, green = 0, blue = 0] = await decode(String(dataUrl));
    assert.deepEqual([width, height], [20, 20]);
    assert(red > 250 && green < 5 && blue < 5);
  });
}

for (const orientation of [1, 2, 3, 4, 5, 6, 7, 8]) {
  test(`an image with EXIF orientation ${orientation} is turned upright`, async () => {
    const bytes = await sharp(await drawShape(wide))
      .withMetadata({ orientation })
      .jpeg()
      .toBuffer();
    const { dataUrl, ...rest } = await load(bytes);
    const turned = orientation > 4;
    assert.deepEqual(rest, {
      format: 'jpeg',
      width: turned ? 40 : 60,
      height: turned ? 60 : 40,
    });
    const sent = await sharp(Buffer.from(String(dataUrl).slice(23), 'base64')).metadata();
    assert.deepEqual([sent.width, sent.height], [rest.width, rest.height]);
    assert((sent.orientation ?? 1) === 1);
  });
}

test('transparent parts are shown on white, regardless of the stored color', async () => {
  const bytes = await sharp({
    create: { width: 8, height: 8, channels: 4, background: { r: 9, g: 9, b: 9, alpha: 0 } },
  })
    .png()
    .toBuffer();
  const pixels = await decode(String((await load(bytes)).dataUrl));
  assert.deepEqual(pixels, Buffer.alloc(8 * 8 * 3, 255));
});

test('an opaque image with an alpha channel is passed on', async () => {
  const bytes = await sharp(await drawShape(wide))
    .ensureAlpha()
    .png()
    .toBuffer();
  assert.equal(String((await load(bytes)).dataUrl), toDataUrl(bytes, 'image/png'));
});

test('16-bit gray is converted to 8 bits, which the runtime would clip to white', async () => {
  const gray = new Uint16Array(100).fill(0x8000);
  const bytes = await sharp(gray, { raw: { width: 10, height: 10, channels: 1 } })
    .toColourspace('grey16')
    .png()
    .toBuffer();
  assert.equal((await sharp(bytes).metadata()).depth, 'ushort');
  const [level = 0] = await decode(String((await load(bytes)).dataUrl));
  assert(Math.abs(level - 128) <= 1, `got ${level}`);
});

test('CMYK becomes RGB', async () => {
  const bytes = await sharp(await drawShape(wide))
    .toColourspace('cmyk')
    .jpeg()
    .toBuffer();
  const { dataUrl } = await load(bytes);
  assert.equal(
    (await sharp(Buffer.from(String(dataUrl).slice(23), 'base64')).metadata()).space,
    'srgb',
  );
});

const NO_PICTURES: [string, string | Buffer][] = [
  ['SVG', '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'],
  ['HTML', '\n<!DOCTYPE html><html><body>Sign in</body></html>'],
  ['JSON', '{"error": "not found"}'],
  ['PDF', '%PDF-1.7\n'],
  ['HEIC', Buffer.from('\0\0\0\x18ftypheic\0\0\0\0', 'latin1')],
  ['AVIF', Buffer.from('\0\0\0\x18ftypavif\0\0\0\0', 'latin1')],
  ['AVIF', Buffer.from('\0\0\0\x1cftypmif1\0\0\0\0mif1avif', 'latin1')],
  ['HEIC', Buffer.from('\0\0\0\x1cftypmif1\0\0\0\0mif1heic', 'latin1')],
  ['SVG', `<!--${' '.repeat(20_000)}--><svg xmlns="http://www.w3.org/2000/svg"/>`],
  ['Targa \\(TGA\\)', Buffer.from('\0\0\x02\0\0\0\0\0\0\0\0\0\x08\0\x08\0\x18\0', 'latin1')],
  [
    'base64 inside base64: the data was encoded twice',
    Buffer.from('\x89PNG\r\n\x1a\n'.repeat(10), 'latin1').toString('base64'),
  ],
  ['JPEG XL', Buffer.from([0xff, 0x0a, 1, 2, 3])],
  ['FITS', `${'SIMPLE  =                    T'.padEnd(80)}${'END'.padEnd(80)}`],
  ['QOI', Buffer.from('qoif\0\0\0\x08\0\0\0\x08\x03\0', 'latin1')],
  ['PCX', Buffer.from('\x0a\x05\x01\x08\0\0\0\0\x07\0\x07\0', 'latin1')],
  ['a FLIC animation \\(FLI\\)', Buffer.from('\x80\0\0\0\x11\xaf\x01\0', 'latin1')],
  ['a Windows metafile \\(WMF\\)', Buffer.from('\xd7\xcd\xc6\x9a\0\0\0\0', 'latin1')],
  ['GD', Buffer.from('\xff\xff\0\x80\0\x80\0\x01\0\xff\xff\xff', 'latin1')],
  ['text, not an image', 'BM is not always a bitmap'],
  ['an unknown format', Buffer.from([1])],
];
for (const [name, content] of NO_PICTURES) {
  test(`${name} (${content.length} bytes) is refused by name`, async () => {
    await assert.rejects(load(Buffer.from(content)), (error: Error) => {
      assert.match(error.message, new RegExp(`got ${name}\\.`));
      return imageError('image_unsupported_format')(error);
    });
  });
}

test('an AVIF is refused although sharp could read it', async () => {
  const bytes = await sharp(await drawShape(wide))
    .avif()
    .toBuffer();
  await assert.rejects(load(bytes), imageError('image_unsupported_format'));
});

for (const format of ['png', 'jpeg', 'webp', 'gif', 'tiff'] as const) {
  let bytes: Buffer;
  before(async () => {
    bytes = await drawShape({ ...wide, format });
  });

  test(`a truncated ${format} is unreadable`, async () => {
    for (const part of [0.3, 0.6, 0.9]) {
      const cut = bytes.subarray(0, Math.floor(bytes.length * part));
      await assert.rejects(load(cut), imageError('image_unreadable'));
    }
  });

  test(`a ${format} with a valid header and invalid data is unreadable`, async () => {
    const rubbish = Buffer.concat([bytes.subarray(0, 12), Buffer.alloc(500, 0x5a)]);
    await assert.rejects(load(rubbish), imageError('image_unreadable'));
  });
}
