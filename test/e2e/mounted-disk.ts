import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';

/** Mounts an empty disk of this size. Undefined if this user may not mount disks. */
export async function mountDisk(bytes: number) {
  const folder = await mkdtemp(join(tmpdir(), 'sightglass-disk-'));
  const options = ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder];
  const { failed } = await execa('mount', options, { reject: false });
  if (failed) return undefined;
  const dispose = async () => {
    await execa('umount', ['-l', folder]);
    await rm(folder, { recursive: true });
  };
  return { folder, [Symbol.asyncDispose]: dispose };
}

const probe = await mountDisk(1_000_000);
await probe?.[Symbol.asyncDispose]();
/** Why a test that needs a disk of its own is skipped, or false. */
export const noDisk = probe === undefined && 'no disk can be mounted here (it takes root on Linux)';
