import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp from 'sharp';
import { ImageLoader } from '../../../server/images/loader.ts';
import { toDataUrl } from '../../support/pictures.ts';

const loader = new ImageLoader();
const { signal } = new AbortController();
const load = (bytes: Buffer) => loader.load(toDataUrl(bytes, 'image/tiff'), signal);

const SHORT = 3;
const LONG = 4;

/** Tags of TIFF 6.0 by number; each has one value or more. */
type Tags = Record<number, number | number[]>;

const RGB: Tags = { 256: 2, 257: 1, 258: [8, 8, 8], 259: 1, 262: 2, 277: 3 };

/** A file of one strip. */
function encode(tags: Tags, pixels: number[] = [255, 0, 0, 255, 0, 0]): Buffer {
  const head = Buffer.from('II*\0\x08\0\0\0', 'latin1');
  const all: Tags = { ...tags, 273: 0, 279: pixels.length };
  const entries = Object.entries(all).map(([tag, value]) => [Number(tag), [value].flat()] as const);
  const start = head.length + 2 + entries.length * 12 + 4;
  const lists = entries.filter(([, values]) => values.length > 2);
  const dataAt = start + lists.reduce((sum, [, values]) => sum + values.length * 2, 0);
  const directory = Buffer.alloc(start - head.length);
  directory.writeUInt16LE(entries.length);
  let listAt = start;
  entries
    .sort(([one], [other]) => one - other)
    .forEach(([tag, values], at) => {
      const entry = 2 + at * 12;
      const isLong = tag === 273 || tag === 279;
      directory.writeUInt16LE(tag, entry);
      directory.writeUInt16LE(isLong ? LONG : SHORT, entry + 2);
      directory.writeUInt32LE(values.length, entry + 4);
      if (tag === 273) directory.writeUInt32LE(dataAt, entry + 8);
      else if (isLong) directory.writeUInt32LE(pixels.length, entry + 8);
      else if (values.length <= 2) {
        values.forEach((value, index) => {
          directory.writeUInt16LE(value, entry + 8 + index * 2);
        });
      } else {
        directory.writeUInt32LE(listAt, entry + 8);
        listAt += values.length * 2;
      }
    });
  const sorted = entries.filter(([, values]) => values.length > 2).flatMap(([, values]) => values);
  const outside = Buffer.alloc(sorted.length * 2);
  sorted.forEach((value, at) => {
    outside.writeUInt16LE(value, at * 2);
  });
  return Buffer.concat([head, directory, outside, Buffer.from(pixels)]);
}

const FOUR = { ...RGB, 258: [8, 8, 8, 8], 277: 4 };
/** Red, hidden by an alpha of 0 if that is what the fourth channel is. */
const HIDDEN = [255, 0, 0, 0, 255, 0, 0, 0];

for (const [what, tags, pixels, shown] of [
  ['three channels are colors', RGB, undefined, 'red'],
  ['an unspecified fourth channel is not transparency', { ...FOUR, 338: 0 }, HIDDEN, 'red'],
  ['a fourth channel called alpha is transparency', { ...FOUR, 338: 2 }, HIDDEN, 'white'],
  ['a fourth channel without a name is transparency', FOUR, HIDDEN, 'white'],
] as const) {
  test(`${what} of a TIFF`, async () => {
    const { dataUrl } = await load(encode(tags, pixels && [...pixels]));
    const [red, green] = await sharp(dataUrl.bytes).raw().toBuffer();
    assert.deepEqual([red, green], [255, shown === 'red' ? 0 : 255]);
  });
}

for (const [name, tags] of [
  ['YCbCr colors without JPEG compression', { 262: 6 }],
  ['old-style JPEG compression', { 259: 6 }],
  ['ZSTD compression', { 259: 50_000 }],
  ['LZMA compression', { 259: 34_925 }],
  ['unknown \\(60000\\) compression', { 259: 60_000 }],
  ['CIELAB colors', { 262: 8 }],
  ['floating-point samples', { 258: [32, 32, 32], 339: [3, 3, 3] }],
  ['signed integer samples', { 339: [2, 2, 2] }],
  ['12 bits per sample', { 258: [12, 12, 12] }],
  ['8\\+8\\+4 bits per pixel', { 258: [8, 8, 4] }],
  ['tiles in separate color planes', { 284: 2, 322: 16, 323: 16 }],
] as const) {
  test(`a TIFF with ${name} is refused by name, not as damaged`, async () => {
    await assert.rejects(load(encode({ ...RGB, ...(tags as unknown as Tags) })), {
      code: 'image_unsupported_format',
      message: new RegExp(`a TIFF with ${name}`),
    });
  });
}
