import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import sharp from 'sharp';
import { APP_ICON, drawIcns, drawIcons, ICON_FOLDER } from '../../scripts/write-icons.ts';

const pixels = (png: Buffer) => sharp(png).ensureAlpha().raw().toBuffer();

test('the icons are those that are drawn, black with alpha (npm run icons)', async () => {
  const drawn = await drawIcons();
  assert.deepEqual((await readdir(ICON_FOLDER)).sort(), [...drawn.keys()].sort());
  for (const [name, png] of drawn) {
    const kept = await pixels(await readFile(join(ICON_FOLDER, name)));
    assert.ok(kept.equals(await pixels(png)), name);
    const isBlack = kept.every((value, at) => at % 4 === 3 || value === 0);
    assert.ok(isBlack, `${name} has other colours than black`);
  }
});

/** The sizes of the pictures in an icon file, by their types. */
async function sizesIn(icns: Buffer): Promise<[string, number | undefined][]> {
  const sizes: [string, number | undefined][] = [];
  assert.equal(icns.toString('latin1', 0, 4), 'icns');
  assert.equal(icns.readUInt32BE(4), icns.length);
  for (let at = 8; at < icns.length; at += icns.readUInt32BE(at + 4)) {
    const png = icns.subarray(at + 8, at + icns.readUInt32BE(at + 4));
    sizes.push([icns.toString('latin1', at, at + 4), (await sharp(png).metadata()).width]);
  }
  return sizes;
}

test('the app’s icon has every size that macOS asks for', async () => {
  const kept = await sizesIn(await readFile(APP_ICON));
  assert.deepEqual(kept, await sizesIn(await drawIcns()));
  assert.deepEqual(
    new Set(kept.map(([, pixels]) => pixels)),
    new Set([16, 32, 64, 128, 256, 512, 1024]),
  );
});
