import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bundle } from './bundle.ts';

/** Folders of resources/runtime. */
export const PROGRAMS = ['launcher', 'hub', 'doctor', 'shared'];

/** Our own part of the runtime. */
export async function copyPrograms({ root, folder }: Bundle): Promise<void> {
  for (const program of PROGRAMS) {
    await cp(join(root, 'resources/runtime', program), join(folder, program), {
      recursive: true,
      filter: (path) => !path.includes('__pycache__'),
    });
  }
}
