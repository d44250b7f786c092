import assert from 'node:assert/strict';
import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { Manifest } from '../../scripts/bundle/manifest.ts';
import { filterAsync, isCode, signList } from '../package/signing.ts';

// The locked wheels for Apple silicon, installed on any machine: the lock file is complete for Apple
// silicon, every wheel has the locked hash, and the download does not grow unnoticed.

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, 'dist/bundle/macos/runtime');
const packages = join(folder, 'python/lib/python3.11/site-packages');
const skip = process.platform === 'darwin' && 'a Mac builds a complete bundle, with these wheels';

/** The current size with a margin. Anything larger must be worth the larger download. */
const LARGEST_BYTES = 310e6;
/** The first bytes of a 64-bit Mach-O file for arm64: the magic number and the CPU type. */
const ARM64 = 'cffaedfe0c000001';

test('every locked package has a wheel for Apple silicon, and MLX’s is for macOS 14', {
  skip,
}, async (t) => {
  await execa('npm', ['run', '--silent', 'bundle', '--', '--platform', 'macos'], { cwd: root });
  const manifest = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')) as Manifest;
  const names = manifest.packages.map(({ name }) => name);
  assert.ok(['mlx', 'mlx-metal', 'mlx-vlm', 'transformers'].every((name) => names.includes(name)));
  assert.ok(manifest.bytes < LARGEST_BYTES, `${manifest.bytes} bytes of wheels`);
  t.diagnostic(`${(manifest.bytes / 1e6).toFixed(0)} MB, ${names.length} packages, without Python`);
  const files = await readdir(packages, { recursive: true });
  assert.ok(files.includes('mlx/lib/mlx.metallib'), 'the Metal library is missing');
  const libraries = files.filter((file) => /\.(so|dylib)$/.test(file));
  const heads = await Promise.all(libraries.map((file) => headOf(join(packages, file))));
  const foreign = libraries.filter(
    (_file, at) => !heads[at]?.startsWith(ARM64) && !isFat(heads[at]),
  );
  assert.deepEqual(foreign, []);
  const metal = files.find((file) => /^mlx_metal-.*dist-info\/WHEEL$/.test(file)) ?? '';
  assert.match(await readFile(join(packages, metal), 'utf8'), /^Tag: .*macosx_14_0_arm64$/m);
});

test('in the macOS runtime, only Mach-O files are signed individually', {
  skip,
}, async (t) => {
  const { signed, ignored } = await signList(folder, 'Contents/Resources/runtime');
  assert.deepEqual(await filterAsync(signed, async (path) => !(await isCode(path))), []);
  assert.deepEqual(await filterAsync(ignored, isCode), []);
  const libraries = (await readdir(packages, { recursive: true })).filter((file) =>
    /\.(so|dylib)$/.test(file),
  );
  assert.deepEqual(signed.sort(), libraries.map((file) => join(packages, file)).sort());
  t.diagnostic(
    `${signed.length} Mach-O files; ${ignored.length} other binary files are not signed`,
  );
});

async function headOf(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(8), 0, 8, 0);
    return buffer.toString('hex');
  } finally {
    await file.close();
  }
}

/** Returns whether a library is for several architectures. In these wheels, arm64 is always one. */
function isFat(head: string | undefined): boolean {
  return head?.startsWith('cafebabe') ?? false;
}
