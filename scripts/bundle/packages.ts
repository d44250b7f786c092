import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { AS_LOCKED } from '../setup-python.mjs';
import { type Bundle, runUv } from './bundle.ts';

/** MLX supports macOS 14 and newer. Without this, uv would select wheels for macOS 13. */
const OLDEST_MACOS = '14.0';

/**
 * Installs the locked wheels and verifies their hashes. A macOS bundle gets the wheels for Apple silicon
 * on every machine, which shows that the lock file is complete for it, and always those for the oldest
 * macOS: the wheels for newer ones contain a Metal library that older systems cannot read.
 */
export async function installWheels({ root, platform, packages }: Bundle): Promise<void> {
  const forApple = ['--python-platform', 'aarch64-apple-darwin', '--python-version', '3.11'];
  await runUv(
    root,
    [
      'pip',
      'install',
      ...AS_LOCKED,
      '--no-deps',
      ...(platform === 'macos' ? forApple : []),
      '--target',
      packages,
      '-r',
      join(root, 'resources/runtime/requirements.txt'),
    ],
    { MACOSX_DEPLOYMENT_TARGET: OLDEST_MACOS, UV_LINK_MODE: 'copy' },
  );
}

/** Files that only developers of a package need. */
const UNUSED_FOLDERS = new Set(['tests', 'test', '__pycache__', 'include', 'cmake', 'bin']);
const UNUSED_FILES = /\.(pyi|pxd|pyx|a|h|hpp|cu|cuh|cmake)$/;
/**
 * The half of transformers that needs PyTorch: 71 MB with its bytecode, 21 MB in a dmg. `auto` only
 * contains tables, which the other half reads.
 */
const FOR_PYTORCH = /^transformers\/models\/(?!auto\/).*\/mod(eling|ular)_\w+\.py$/;
/** Needed at run time on Linux, where MLX compiles kernels from its headers. */
const LINUX_HEADERS = [/^mlx\/include(\/|$)/, /^numpy\/_core\/include$/];

/** Removes files that are never read from the packages. */
export async function trim({ packages, platform }: Bundle): Promise<void> {
  await trimFolder(packages, '', platform === 'linux' ? LINUX_HEADERS : []);
}

async function trimFolder(root: string, path: string, kept: readonly RegExp[]): Promise<void> {
  for (const entry of await readdir(join(root, path), { withFileTypes: true })) {
    const name = path === '' ? entry.name : `${path}/${entry.name}`;
    if (kept.some((pattern) => pattern.test(name))) continue;
    const isUnused = entry.isDirectory()
      ? UNUSED_FOLDERS.has(entry.name)
      : UNUSED_FILES.test(entry.name) || FOR_PYTORCH.test(name);
    if (isUnused) await rm(join(root, name), { recursive: true });
    else if (entry.isDirectory()) await trimFolder(root, name, kept);
  }
}

/**
 * Compiles every module. The bytecode is never checked against the sources: they don't change, and a
 * signed bundle must not be written to.
 */
export async function compile({ python }: Bundle): Promise<void> {
  await execa(join(python, 'bin/python3'), [
    '-I',
    '-m',
    'compileall',
    '-q',
    '-j',
    '0',
    '--invalidation-mode',
    'unchecked-hash',
    join(python, 'lib'),
  ]);
}
