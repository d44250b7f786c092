import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bundle } from './index.ts';

/** Our own part of the runtime. */
export async function copyLauncher({ root, folder }: Bundle): Promise<void> {
  await cp(join(root, 'resources/runtime/launcher'), join(folder, 'launcher'), {
    recursive: true,
    filter: (path) => !path.includes('__pycache__'),
  });
}
