import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PROGRAMS } from '../../../scripts/bundle/bundle.ts';
import { isCurrent, writeManifest } from '../../../scripts/bundle/manifest.ts';

// A bundle is reused only while its sources have not changed.

const root = fileURLToPath(new URL('../../..', import.meta.url));
let copy: string;
let folder: string;
before(async () => {
  copy = await mkdtemp(join(tmpdir(), 'sightglass-bundle-'));
  folder = join(copy, 'dist/bundle/linux/runtime');
  for (const input of [
    ...PROGRAMS.map((program) => `resources/runtime/${program}`),
    'scripts/bundle',
  ]) {
    await cp(join(root, input), join(copy, input), { recursive: true });
  }
  for (const name of ['requirements.txt', 'requirements-setup.txt']) {
    await cp(join(root, 'resources/runtime', name), join(copy, 'resources/runtime', name));
  }
  for (const name of ['setup-python.mjs', 'setup-python-settings.mjs']) {
    await cp(join(root, 'scripts', name), join(copy, 'scripts', name));
  }
});
after(() => rm(copy, { recursive: true }));

async function bundle(): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  const packages = join(folder, 'python/lib/python3.11/site-packages');
  await mkdir(packages, { recursive: true });
  const python = join(folder, 'python');
  await writeManifest({ platform: 'linux', isNative: true, root: copy, folder, python, packages });
}

test('no bundle, or one that was interrupted, is not current', async () => {
  assert.equal(await isCurrent(copy, folder), false);
  await mkdir(folder, { recursive: true });
  assert.equal(await isCurrent(copy, folder), false);
});

test('a bundle of the same sources is current', async () => {
  await bundle();
  assert.equal(await isCurrent(copy, folder), true);
  await mkdir(join(copy, 'resources/runtime/launcher/__pycache__'), { recursive: true });
  await writeFile(join(copy, 'resources/runtime/launcher/__pycache__/lines.pyc'), 'bytecode');
  assert.equal(await isCurrent(copy, folder), true, 'bytecode is not a source');
});

for (const source of [
  'resources/runtime/requirements.txt',
  'resources/runtime/shared/lines.py',
  'resources/runtime/hub/new.py',
  'scripts/bundle/packages.ts',
]) {
  test(`a change of ${source} makes it stale`, async () => {
    await bundle();
    await writeFile(join(copy, source), 'changed');
    assert.equal(await isCurrent(copy, folder), false);
  });
}

test('a manifest of an earlier version, without its sources, is stale', async () => {
  await bundle();
  await writeFile(join(folder, 'manifest.json'), '{"platform": "linux"}');
  assert.equal(await isCurrent(copy, folder), false);
});
