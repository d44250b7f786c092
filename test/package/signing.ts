import { open } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// What electron-builder and osx-sign would do with our configuration, according to their own code.

const root = fileURLToPath(new URL('../..', import.meta.url));
const builder = createRequire(import.meta.url).resolve('electron-builder');
const library = createRequire(createRequire(builder).resolve('app-builder-lib'));
const { getConfig, validateConfiguration } = library('./util/config/config');
const { MacTargetHelper } = library('./mac/MacTargetHelper');
const { DebugLogger } = library('builder-util');
const { walkAsync } = library('@electron/osx-sign/dist/cjs/util');

/** The first bytes of a program or library: Mach-O for one processor or several, and Linux's ELF. */
const CODE = /^(cffaedfe|cafebabe|7f454c46)/;

/** The configuration as electron-builder reads it, its defaults included. */
export async function readConfiguration() {
  process.env['SIGHTGLASS_BUNDLE'] ??= 'linux';
  process.env['GITHUB_REPOSITORY_OWNER'] ??= 'sightglass';
  return getConfig(root, join(root, 'electron-builder.yml'), {});
}

/** @throws when electron-builder's schema does not allow it */
export async function validate(configuration: object): Promise<void> {
  await validateConfiguration(configuration, new DebugLogger(false));
}

export interface SignList {
  /** What osx-sign would sign one by one, in the app that is or would be at `app`. */
  signed: string[];
  /** What it would sign without `signIgnore`. */
  ignored: string[];
}

/**
 * The files under `folder` as osx-sign's walk finds them (bundles and all that is binary), divided by
 * electron-builder's filter. `folder` stands at `place` of the app.
 */
export async function signList(folder: string, place: string): Promise<SignList> {
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
    ignore(join(app, place, path.slice(folder.length + 1)));
  return {
    signed: found.filter((path) => !isIgnored(path)),
    ignored: found.filter((path) => isIgnored(path)),
  };
}

/** Whether the file is a program or library, by its first bytes. */
export async function isCode(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return CODE.test(buffer.toString('hex'));
  } finally {
    await file.close();
  }
}

/** The paths for which `is` resolves with true. */
export async function filterAsync(
  paths: string[],
  is: (path: string) => Promise<boolean>,
): Promise<string[]> {
  const answers = await Promise.all(paths.map(is));
  return paths.filter((_path, at) => answers[at]);
}
