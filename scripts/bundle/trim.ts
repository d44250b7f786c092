import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bundle } from './bundle.ts';

/** What only developers of a package need. */
const FOLDERS = new Set(['tests', 'test', '__pycache__', 'include', 'cmake', 'bin']);
const ENDINGS = /\.(pyi|pxd|pyx|a|h|hpp|cu|cuh|cmake)$/;
/**
 * The half of transformers that is useless without PyTorch: 71 MB with its bytecode, 21 MB in a dmg.
 * `auto` contains only tables, which the other half reads.
 */
const FOR_PYTORCH = /^transformers\/models\/(?!auto\/).*\/mod(eling|ular)_\w+\.py$/;
/** Read at run time, whatever they are called: MLX compiles kernels from its headers on Linux. */
const KEPT = [/^mlx\/include(\/|$)/, /^numpy\/_core\/include$/];

/** Takes out of the packages what is never read. */
export async function trim({ packages, platform }: Bundle): Promise<void> {
  const kept = platform === 'linux' ? KEPT : [];
  await walk(packages, '', kept);
}

async function walk(root: string, path: string, kept: readonly RegExp[]): Promise<void> {
  for (const entry of await readdir(join(root, path), { withFileTypes: true })) {
    const name = path === '' ? entry.name : `${path}/${entry.name}`;
    if (kept.some((pattern) => pattern.test(name))) continue;
    const isUnused = entry.isDirectory()
      ? FOLDERS.has(entry.name)
      : ENDINGS.test(entry.name) || FOR_PYTORCH.test(name);
    if (isUnused) await rm(join(root, name), { recursive: true });
    else if (entry.isDirectory()) await walk(root, name, kept);
  }
}
