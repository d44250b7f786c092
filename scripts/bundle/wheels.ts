import { join } from 'node:path';
import { execa } from 'execa';
import { AS_LOCKED } from '../setup-python.mjs';
import type { Bundle } from './bundle.ts';
import { runUv } from './tools.ts';

/** MLX's wheels begin with macOS 14; uv would take 13 for the oldest to serve. */
const OLDEST_MACOS = '14.0';

/**
 * Installs the locked wheels, each held to its hash. For Apple silicon also from elsewhere, which
 * shows that the lock is complete for it; always the wheels of the oldest macOS, since newer ones
 * hold a Metal library that older systems cannot read.
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

/**
 * Compiles every module, checked by nothing: a signed bundle is not to be written into, and its
 * sources never change.
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
