import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { type Bundle, PROGRAMS } from './bundle.ts';

/** The files that a bundle is built from, besides the local Python. */
const INPUTS = [
  'resources/runtime/requirements.txt',
  'resources/runtime/requirements-setup.txt',
  'scripts/bundle',
  'scripts/setup-python.mjs',
  'scripts/setup-python-settings.mjs',
  ...PROGRAMS.map((program) => `resources/runtime/${program}`),
];

export interface BundledPackage {
  name: string;
  version: string;
  licence: string;
  bytes: number;
  /** The hash of the package's files in the bundle and their paths. */
  sha256: string;
}

export interface Manifest {
  platform: string;
  python: string | null;
  /** The hash of the sources it was built from. */
  inputs: string;
  bytes: number;
  /** Sorted by size, largest first. */
  packages: BundledPackage[];
}

/** Writes `manifest.json`, which lists the bundle's packages with their licences and sizes. */
export async function writeManifest({
  root,
  folder,
  platform,
  packages,
  isNative,
}: Bundle): Promise<Manifest> {
  const entries = await readdir(packages);
  const infos = entries.filter((name) => name.endsWith('.dist-info'));
  const listed = await Promise.all(infos.map((info) => describe(packages, info)));
  const manifest: Manifest = {
    platform,
    python: isNative ? '3.11' : null,
    inputs: await hashInputs(root),
    bytes: await sizeOf(folder),
    packages: listed.sort((a, b) => b.bytes - a.bytes),
  };
  await writeFile(join(folder, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

/** Returns whether the bundle in this folder is complete and was built from the current sources. */
export async function isCurrent(root: string, folder: string): Promise<boolean> {
  const text = await readFile(join(folder, 'manifest.json'), 'utf8').catch(() => undefined);
  if (text === undefined) return false; // the manifest is written last
  const manifest: Partial<Manifest> = JSON.parse(text);
  return manifest.inputs === (await hashInputs(root));
}

async function hashInputs(root: string): Promise<string> {
  const files = (await Promise.all(INPUTS.map((input) => filesOf(join(root, input))))).flat();
  const hash = createHash('sha256');
  for (const file of files.sort()) {
    hash.update(relative(root, file)).update('\0');
    hash.update(
      createHash('sha256')
        .update(await readFile(file))
        .digest(),
    );
  }
  return hash.digest('hex');
}

/** The files in a folder, or the path itself if it is a file. */
async function filesOf(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true, recursive: true }).catch(() => null);
  if (entries === null) return [path];
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !file.includes('__pycache__'));
}

async function describe(packages: string, info: string): Promise<BundledPackage> {
  const metadata = await readFile(join(packages, info, 'METADATA'), 'utf8');
  const field = (name: string) => new RegExp(`^${name}: (.+)$`, 'm').exec(metadata)?.[1]?.trim();
  const classified = [...metadata.matchAll(/^Classifier: License :: (?:OSI Approved :: )?(.+)$/gm)];
  const record = await readFile(join(packages, info, 'RECORD'), 'utf8');
  const paths = record.split('\n').map((line) => line.replace(/,[^,]*,[^,]*$/, ''));
  const hash = createHash('sha256');
  let bytes = 0;
  for (const path of paths.filter((each) => each !== '' && !each.startsWith('..')).sort()) {
    const content = await readFile(join(packages, path)).catch(() => undefined); // removed by trim
    if (content === undefined) continue;
    bytes += content.length;
    hash.update(path).update(createHash('sha256').update(content).digest());
  }
  return {
    name: field('Name') ?? info,
    version: field('Version') ?? '',
    licence:
      field('License-Expression') ??
      (classified.map(([, name]) => name).join(', ') || (field('License') ?? 'see the package')),
    bytes,
    sha256: hash.digest('hex'),
  };
}

async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const sizes = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry) => (await readFile(join(entry.parentPath, entry.name))).length),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
