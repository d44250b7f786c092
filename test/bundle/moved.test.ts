import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { execa } from 'execa';
import type { Manifest } from '../../scripts/bundle/manifest.ts';
import { inspectModel } from '../../server/models/find-models.ts';
import { HubClient } from '../support/hub/hub-client.ts';
import { HubServer } from '../support/hub/hub-server.ts';
import { demoModel } from '../support/service.ts';

// The bundle for this machine (`npm run bundle`), moved to another folder, with no other Python in PATH and
// no network.

const root = fileURLToPath(new URL('../..', import.meta.url));
const platform = process.platform === 'darwin' ? 'macos' : 'linux';
const built = join(root, 'dist/bundle', platform, 'runtime');
const canUnshareNetwork =
  process.platform === 'linux' &&
  (await execa('unshare', ['-n', 'ip', 'link', 'set', 'lo', 'up'], { reject: false })).exitCode ===
    0;
let moved: string;
before(async () => {
  if (!existsSync(built)) throw new Error('There is no bundle. Run `npm run test:bundle`.');
  moved = await mkdtemp(join(root, 'dist/moved elsewhere '));
  await rename(built, join(moved, 'runtime'));
});
after(async () => {
  if (moved === undefined) return;
  await rename(join(moved, 'runtime'), built);
  await rm(moved, { recursive: true });
});

/** Creates a PATH with the compiler for MLX's CPU backend, but with no Python that works. */
async function createPath(): Promise<string> {
  const folder = join(moved, 'bin');
  await mkdir(folder);
  for (const name of ['sh', 'g++', 'as', 'ld']) {
    const { stdout, failed } = await execa('which', [name], { reject: false });
    if (!failed) await symlink(stdout, join(folder, name)); // not needed on a Mac
  }
  for (const name of ['python', 'python3', 'python3.11']) {
    await writeFile(
      join(folder, name),
      '#!/bin/sh\necho "A Python outside the bundle was run." >&2\nexit 66\n',
    );
    await chmod(join(folder, name), 0o755);
  }
  return folder;
}

test('a moved bundle serves the demo model, with no other Python and no network', async (t) => {
  const program = [
    process.execPath,
    fileURLToPath(new URL('serve-bundle.ts', import.meta.url)),
    moved,
    demoModel,
  ];
  const offline = 'ip link set lo up && exec "$@"';
  const [command = '', ...args] = canUnshareNetwork
    ? [
        'unshare',
        '-n',
        'sh',
        '-c',
        offline,
        'sh',
        '/usr/bin/env',
        `PATH=${await createPath()}`,
        ...program,
      ]
    : ['/usr/bin/env', `PATH=${await createPath()}`, ...program];
  if (!canUnshareNetwork) t.diagnostic('unshare is not permitted here: tested with a network');
  const { stdout } = await execa(command, args, { timeout: 180_000, stderr: 'inherit' });
  const { python, answer, mapped, outside } = JSON.parse(stdout);
  assert.equal(python, join(moved, 'runtime/python/bin/python3'));
  assert.equal(answer, 'A red circle on a white background.');
  if (canUnshareNetwork) assert.equal(outside, 'unreachable');
  const foreign = mapped.filter(
    (file: string) => /python|site-packages|\.venv/.test(file) && !file.startsWith(moved),
  );
  assert.deepEqual(foreign, []);
});

test('a moved bundle runs every suggested architecture and imports all others except two', async (t) => {
  const { stdout } = await execa(
    join(root, 'resources/runtime/.venv/bin/python'),
    ['-m', 'pytest', '-q', '-k', 'architecture', join(root, 'test/runtime/test_left_out.py')],
    {
      cwd: join(root, 'resources/runtime'),
      env: { SIGHTGLASS_BUNDLED_RUNTIME: join(moved, 'runtime') },
      timeout: 300_000,
    },
  );
  t.diagnostic(stdout.split('\n').at(-1) ?? '');
});

test('a moved bundle downloads and inspects a model', async () => {
  await using hub = await HubServer.start();
  await hub.add('owner/demo', demoModel);
  await using client = await HubClient.start(hub.url, { from: pathToFileURL(`${moved}/`) });
  const path = await client.downloads.start('owner/demo');
  const { type, problem } = await inspectModel(path, {
    program: client.program,
    maxConcurrency: 1,
  });
  assert.deepEqual([type, problem], ['qwen2_vl', undefined]);
});

test('the manifest lists every package with its licence, and unused files are removed', async (t) => {
  const text = await readFile(join(moved, 'runtime/manifest.json'), 'utf8');
  const manifest = JSON.parse(text) as Manifest;
  const { packages, bytes } = manifest;
  t.diagnostic(`${(bytes / 1e6).toFixed(0)} MB, ${packages.length} packages`);
  assert.equal(manifest.platform, platform);
  const names = packages.map(({ name }) => name.toLowerCase());
  assert.ok(names.includes('mlx-vlm') && names.includes('transformers'));
  for (const name of ['datasets', 'pyarrow', 'pandas', 'torch', 'pytest', 'ruff', 'uv', 'pip']) {
    assert.ok(!names.includes(name), name);
  }
  const incomplete = packages.filter(
    ({ licence, version, sha256 }) => !licence || !version || !sha256,
  );
  assert.deepEqual(incomplete, []);
  const { stdout } = await execa('find', [
    join(moved, 'runtime'),
    '(',
    '-name',
    'tests',
    '-o',
    '-name',
    '*.pyi',
    '-o',
    '-name',
    'idlelib',
    ')',
  ]);
  assert.equal(stdout, '');
});

test('serving does not write to the bundle, which would invalidate its signature', async () => {
  const runtime = join(moved, 'runtime');
  const { stdout } = await execa('find', [runtime, '-newer', join(runtime, 'manifest.json')]);
  assert.equal(stdout.replace(runtime, ''), ''); // moving the bundle changed the folder itself
});
