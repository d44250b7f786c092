import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import sharp, { type Sharp } from 'sharp';
import { readHeader } from '../../../server/images/header.ts';
import { ImageLoader } from '../../../server/images/loader.ts';
import { DEFAULT_RULES } from '../../../server/images/rules.ts';

import { circlePng, toDataUrl } from '../../support/pictures.ts';

const { signal } = new AbortController();
const SIDE = 3000;
const RULES = { ...DEFAULT_RULES, maxPixels: 100_000 };
/** The text of the data URL, and what the collector has not freed yet. */
const NOISE_BYTES = 12 * 2 ** 20;

const opaque = (side = SIDE) =>
  sharp({ create: { width: side, height: side, channels: 3, background: 'red' } });
const transparent = () =>
  sharp({
    create: {
      width: SIDE,
      height: SIDE,
      channels: 4,
      background: { r: 255, g: 0, b: 0, alpha: 0.5 },
    },
  });
/** As wide as the models accept: whole rows of it are most of the image. */
const wide = () =>
  sharp({ create: { width: 40_000, height: 250, channels: 3, background: 'red' } });
const turned = (image: Sharp) => image.withMetadata({ orientation: 6 });
const interlaced = { progressive: true, compressionLevel: 1 };

const KINDS: readonly (readonly [string, Sharp])[] = [
  ['a wide PNG', wide().png({ compressionLevel: 1 })],
  ['a wide 16-bit PNG', wide().toColourspace('rgb16').png({ compressionLevel: 1 })],
  ['a PNG', opaque().png({ compressionLevel: 1 })],
  ['an interlaced PNG', opaque().png(interlaced)],
  ['an interlaced 16-bit PNG', opaque().toColourspace('rgb16').png(interlaced)],
  ['an interlaced 16-bit PNG with alpha', transparent().toColourspace('rgb16').png(interlaced)],
  ['an interlaced PNG that is turned', turned(opaque()).png(interlaced)],
  ['a 16-bit PNG in Display P3', opaque().toColourspace('rgb16').withIccProfile('p3').png()],
  ['a JPEG that is turned', turned(opaque()).jpeg()],
  ['a progressive JPEG', opaque().jpeg({ progressive: true })],
  [
    'a progressive JPEG that is turned',
    turned(opaque(5000)).jpeg({ progressive: true, chromaSubsampling: '4:4:4' }),
  ],
  ['a progressive CMYK JPEG', opaque(1500).toColourspace('cmyk').jpeg({ progressive: true })],
  ['a WebP that is turned', turned(opaque()).webp({ effort: 0 })],
  ['a lossless WebP with alpha', transparent().webp({ lossless: true, effort: 0 })],
  ['a GIF', opaque().gif({ effort: 1 })],
  ['a TIFF that is turned', turned(opaque()).tiff({ compression: 'deflate' })],
];

/** In bytes; of the process, so only one image at a time can be measured. */
function readMemory(field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync('/proc/self/status', 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024;
}

const skip = process.platform === 'linux' ? false : 'only Linux can reset the peak of a process';
test('no image takes more memory than estimated from its header', { skip }, async (t) => {
  const loader = new ImageLoader(RULES);
  await loader.load(toDataUrl(await circlePng('red'), 'image/png'), signal);
  for (const [kind, image] of KINDS) {
    await t.test(kind, async () => {
      const bytes = await image.toBuffer();
      const { neededBytes } = await readHeader(bytes, RULES);
      const url = toDataUrl(bytes, 'image/png');
      writeFileSync('/proc/self/clear_refs', '5'); // resets VmHWM
      const before = readMemory('VmRSS');
      await loader.load(url, signal);
      const taken = readMemory('VmHWM') - before;
      assert.ok(
        taken <= neededBytes + NOISE_BYTES,
        `took ${(taken / 1e6).toFixed()} MB, promised ${(neededBytes / 1e6).toFixed()} MB`,
      );
    });
  }
});
