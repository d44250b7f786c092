import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import sharp from 'sharp';
import { drawIcons, ICON_FOLDER } from '../../scripts/write-icons.ts';

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
