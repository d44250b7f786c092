import { open } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// What electron-builder and osx-sign would do with our configuration, computed by their own code.

const root = fileURLToPath(new URL('../..', import.meta.url));
const builder = createRequire(import.meta.url).resolve('electron-builder');
const library = createRequire(createRequire(builder).resolve('app-builder-lib'));
const { getConfig, validateConfiguration } = library('./util/config/config');
const { MacTargetHelper } = library('./mac/MacTargetHelper');
const { DebugLogger } = library('builder-util');
const { walkAsync } = library('@electron/osx-sign/dist/cjs/util');

/** The first bytes of a program or library: Mach-O for one architecture or several, or ELF on Linux. */
const CODE = /^(cffaedfe|cafebabe|7f454c46)/;

/** The configuration as electron-builder reads it, including defaults. */
export async function readConfiguration() {
  process.env['SIGHTGLASS_BUNDLE'] ??= 'linux';
  process.env['GITHUB_REPOSITORY_OWNER'] ??= 'sightglass';
  return getConfig(root, join(root, 'electron-builder.yml'), {});
}

/** @throws if the configuration does not match electron-builder's schema */
export async function validate(configuration: object): Promise<void> {
  await validateConfiguration(configuration, new DebugLogger(false));
}

export interface SignList {
  /** The files and bundles that osx-sign would sign individually. */
  signed: string[];
  /** Those that it would also sign without `signIgnore`. */
  ignored: string[];
}

/**
 * Lists the bundles and binary files that osx-sign finds in `folder`, split by electron-builder's filter.
 * `pathInApp` is the path of `folder` in the app.
 */
export async function signList(folder: string, pathInApp: string): Promise<SignList> {
  const { mac } = await readConfiguration();
  const packager = {
    config: {},
    platformSpecificBuildOptions: mac,
    resourceList: Promise.resolve([]),
    info: { buildResourcesDir: join(root, 'resources/build') },
  };
  const app = '/Applications/Sightglass.app';
  const helper = new MacTargetHelper(packager);
  const { ignore } = await helper.buildSignOptions(app, null, 'distribution', false, mac, null);
  const found: string[] = await walkAsync(folder);
  const isIgnored = (path: string): boolean =>
    ignore(join(app, pathInApp, path.slice(folder.length + 1)));
  return {
    signed: found.filter((path) => !isIgnored(path)),
    ignored: found.filter((path) => isIgnored(path)),
  };
}

/** Returns whether the first bytes of a file are those of a program or library. */
export async function isCode(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return CODE.test(buffer.toString('hex'));
  } finally {
    await file.close();
  }
}

/** Returns the paths for which the predicate resolves with true. */
export async function filterAsync(
  paths: string[],
  predicate: (path: string) => Promise<boolean>,
): Promise<string[]> {
  const results = await Promise.all(paths.map(predicate));
  return paths.filter((_path, index) => results[index]);
}
