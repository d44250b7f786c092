import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp from 'sharp';
import { ImageLoader } from '../../../server/images/loader.ts';
import { toDataUrl } from '../../support/pictures.ts';
import { imageError } from './picture-server.ts';

const loader = new ImageLoader();
const { signal } = new AbortController();
const load = (bytes: Buffer) => loader.load(toDataUrl(bytes, 'image/bmp'), signal);

interface Layout {
  bits: number;
  /** From the bottom, without padding. */
  rows: number[][];
  size: [width: number, height: number];
  palette?: number[];
  masks?: number[];
  compression?: number;
}

function encode({ bits, rows, size, palette = [], masks = [], compression = 0 }: Layout): Buffer {
  const [width, height] = size;
  const stride = Math.ceil((width * bits) / 32) * 4;
  const head = Buffer.alloc(54 + masks.length * 4);
  head.write('BM');
  head.writeUInt32LE(head.length + palette.length, 10);
  head.writeUInt32LE(40, 14);
  head.writeInt32LE(width, 18);
  head.writeInt32LE(height, 22);
  head.writeUInt16LE(1, 26);
  head.writeUInt16LE(bits, 28);
  head.writeUInt32LE(compression, 30);
  head.writeUInt32LE(palette.length / 4, 46);
  masks.forEach((mask, at) => {
    head.writeUInt32LE(mask, 54 + at * 4);
  });
  const padded = rows.map((row) => [...row, ...new Array<number>(stride - row.length).fill(0)]);
  return Buffer.from([...head, ...palette, ...padded.flat()]);
}

const RED = [0, 0, 255];
const BLUE = [255, 0, 0];
const GREEN = [0, 255, 0];
const PALETTE = [RED, BLUE, GREEN, GREEN].flatMap((color) => [...color, 0]);
/** Red, blue, green over green, red, red, in every layout. */
const WANTED = 'RBG GRR';

const LAYOUTS: Record<string, Layout> = {
  '24 bits': {
    bits: 24,
    size: [3, 2],
    rows: [
      [...GREEN, ...RED, ...RED],
      [...RED, ...BLUE, ...GREEN],
    ],
  },
  'rows from the top': {
    bits: 24,
    size: [3, -2],
    rows: [
      [...RED, ...BLUE, ...GREEN],
      [...GREEN, ...RED, ...RED],
    ],
  },
  '32 bits with rubbish in the unused byte': {
    bits: 32,
    size: [3, 2],
    rows: [
      [...GREEN, 7, ...RED, 0, ...RED, 9],
      [...RED, 1, ...BLUE, 2, ...GREEN, 3],
    ],
  },
  'a palette of 8 bits': {
    bits: 8,
    size: [3, 2],
    palette: PALETTE,
    rows: [
      [2, 0, 0],
      [0, 1, 3],
    ],
  },
  'a palette of 4 bits and an odd width': {
    bits: 4,
    size: [3, 2],
    palette: PALETTE,
    rows: [
      [0x20, 0x00],
      [0x01, 0x20],
    ],
  },
  '16 bits as 5-6-5': {
    bits: 16,
    size: [3, 2],
    compression: 3,
    masks: [0xf800, 0x07e0, 0x001f],
    rows: [
      [0xe0, 0x07, 0x00, 0xf8, 0x00, 0xf8],
      [0x00, 0xf8, 0x1f, 0x00, 0xe0, 0x07],
    ],
  },
  '16 bits as 5-5-5': {
    bits: 16,
    size: [3, 2],
    rows: [
      [0xe0, 0x03, 0x00, 0x7c, 0x00, 0x7c],
      [0x00, 0x7c, 0x1f, 0x00, 0xe0, 0x03],
    ],
  },
};

for (const [name, layout] of Object.entries(LAYOUTS)) {
  test(`a BMP with ${name} becomes a PNG`, async () => {
    const { dataUrl, ...rest } = await load(encode(layout));
    assert.deepEqual(rest, { format: 'bmp', width: 3, height: 2 });
    const png = Buffer.from(String(dataUrl).slice('data:image/png;base64,'.length), 'base64');
    const pixels = await sharp(png).removeAlpha().raw().toBuffer();
    const letters = Array.from({ length: 6 }, (_, at) => 'RGB'[pixels.indexOf(255, at * 3) % 3]);
    assert.equal(letters.join('').replace(/^.../, '$& '), WANTED);
  });
}

test('a BMP with two colors is read bit by bit', async () => {
  const { dataUrl } = await load(
    encode({
      bits: 1,
      size: [9, 1],
      palette: [0, 0, 0, 0, 255, 255, 255, 0],
      rows: [[0xa5, 0x80]],
    }),
  );
  const png = Buffer.from(String(dataUrl).slice('data:image/png;base64,'.length), 'base64');
  const gray = await sharp(png).greyscale().raw().toBuffer();
  assert.deepEqual(
    [...gray].map((level) => (level > 127 ? 1 : 0)),
    [1, 0, 1, 0, 0, 1, 0, 1, 1],
  );
});

const RED_PIXEL = { create: { width: 1, height: 1, channels: 3, background: 'red' } } as const;
const PIXEL: Layout = { bits: 32, size: [1, 1], rows: [[10, 20, 30, 0]] };
const MASKS = [0xff0000, 0xff00, 0xff];

/** The same six pixels, run-length encoded: runs, literal pixels, ends of rows and of the image. */
const RUNS = {
  RLE8: { bits: 8, compression: 1, runs: [1, 2, 2, 0, 0, 0, 0, 3, 0, 1, 2, 0, 0, 0, 0, 1] },
  RLE4: { bits: 4, compression: 2, runs: [1, 0x20, 2, 0, 0, 0, 0, 3, 0x01, 0x20, 0, 0, 0, 1] },
};
for (const [name, { bits, compression, runs }] of Object.entries(RUNS)) {
  const head = encode({ bits, compression, size: [3, 2], palette: PALETTE, rows: [] });
  const bytes = Buffer.concat([head, Buffer.from(runs)]);

  test(`a BMP with ${name} is unpacked`, async () => {
    assert.equal(await colorsOf(bytes), WANTED);
  });

  test(`a BMP with ${name} that is truncated anywhere is unreadable`, async () => {
    for (let length = head.length; length < bytes.length - 2; length++) {
      await assert.rejects(load(bytes.subarray(0, length)), imageError('image_unreadable'));
    }
  });
}

test('a BMP is read even if the padding of its last row is missing or its offset is wrong', async () => {
  const layout = {
    bits: 8,
    palette: PALETTE,
    rows: [
      [2, 0, 0],
      [0, 1, 3],
    ],
  };
  const bytes = encode({ ...layout, size: [3, 2] });
  assert.equal(await colorsOf(bytes.subarray(0, -1)), WANTED);
  for (const offset of [0, 54, 60]) {
    bytes.writeUInt32LE(offset, 10);
    assert.equal(await colorsOf(bytes), WANTED, String(offset));
  }
});

async function colorsOf(bytes: Buffer): Promise<string> {
  const png = Buffer.from(String((await load(bytes)).dataUrl).slice(22), 'base64');
  const pixels = await sharp(png).removeAlpha().raw().toBuffer();
  const names = Array.from({ length: 6 }, (_, at) => {
    const [red, green] = pixels.subarray(at * 3);
    return red === 255 ? 'R' : green === 255 ? 'G' : 'B';
  });
  return `${names.slice(0, 3).join('')} ${names.slice(3).join('')}`;
}

test('an OS/2 header may end after its first fields', async () => {
  const rows = [
    [2, 0, 0],
    [0, 1, 3],
  ];
  const whole = encode({ bits: 8, size: [3, 2], palette: PALETTE, rows });
  const short = Buffer.concat([whole.subarray(0, 30), whole.subarray(54, 54 + PALETTE.length)]);
  short.writeUInt32LE(16, 14);
  const unused = Buffer.alloc(256 * 4 - PALETTE.length);
  const bytes = Buffer.concat([short, unused, whole.subarray(54 + PALETTE.length)]);
  bytes.writeUInt32LE(short.length + unused.length, 10);
  assert.equal(await colorsOf(bytes), WANTED);
});

test('a BMP with an embedded JPEG or PNG, or with an unknown header, is refused by name', async () => {
  const head = encode({ ...PIXEL, bits: 0, rows: [], compression: 4 });
  const embedded = Buffer.concat([head, await sharp(RED_PIXEL).jpeg().toBuffer()]);
  await assert.rejects(load(embedded), { message: /embedded JPEG/ });
  const unknown = encode(PIXEL);
  unknown.writeUInt32LE(15, 14);
  await assert.rejects(load(unknown), { message: /a header of 15 bytes/ });
});

test('an alpha of 0 in a BMP is ignored', async () => {
  const masks = [...MASKS, 0xff000000];
  const bytes = encode({ ...PIXEL, masks, compression: 6 });
  const png = Buffer.from(String((await load(bytes)).dataUrl).slice(22), 'base64');
  assert.deepEqual([...(await sharp(png).removeAlpha().raw().toBuffer())], [30, 20, 10]);
});

test('a BMP that claims more pixels than it contains is unreadable, however many', async () => {
  for (const [width, height] of [
    [2, 2],
    [1, 100_000],
    [0x7fffffff, -0x80000000],
  ] as const) {
    const bytes = encode(PIXEL);
    bytes.writeInt32LE(width, 18);
    bytes.writeInt32LE(height, 22);
    await assert.rejects(load(bytes), imageError('image_unreadable'));
  }
});

test('a truncated BMP never causes a crash', async () => {
  const bytes = encode({ ...PIXEL, masks: MASKS, compression: 3 });
  for (let length = 18; length < bytes.length; length++) {
    await assert.rejects(load(bytes.subarray(0, length)), imageError('image_unreadable'));
  }
});
