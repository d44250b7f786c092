import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AppSettings } from '../../server/contract.ts';
import { root } from './built-panel.ts';
import type { AppOptions, StandInApp } from './electron/start-app.ts';
import { type Launch, onStandIn, type SightglassApp, startSightglass } from './sightglass-app.ts';
import { StubRuntimes } from './stub-runtimes.ts';

export interface PackagedOptions extends Partial<AppOptions> {
  /** `app-update.yml`, which names the feed. */
  update?: object;
  /** Replace the runtime; the other Python programs are the real ones. */
  stubs?: StubRuntimes;
}

export interface StubbedOptions extends Omit<PackagedOptions, 'stubs'> {
  /** Called with each runtime when it starts; by default it becomes ready. */
  onStart?: Parameters<typeof StubRuntimes.create>[0];
  /** What `settings.json` holds beside the settings. */
  stored?: Record<string, unknown>;
  /** Modules that the app's process imports first. */
  imports?: string[];
}

export interface PackagedApp extends AsyncDisposable {
  launch: Launch<StandInApp>;
  /** The zip that Squirrel.Mac has installed. */
  installed: () => Promise<Buffer | undefined>;
}

/** The app on the stand-in as a packaged one, with resources of its own. */
export async function packageApp(options: PackagedOptions): Promise<PackagedApp> {
  const { update, stubs, ...launch } = options;
  const folder = await mkdtemp(join(tmpdir(), 'sightglass-packaged-'));
  const [resourcesPath, installFolder] = [join(folder, 'Resources'), join(folder, 'installed')];
  await mkdir(resourcesPath);
  for (const name of ['models', 'icons', ...(stubs === undefined ? ['runtime'] : [])]) {
    await symlink(join(root, 'resources', name), join(resourcesPath, name));
  }
  if (stubs !== undefined) await writeStubRuntime(join(resourcesPath, 'runtime'), stubs);
  if (update !== undefined) {
    // JSON is valid YAML.
    const content = JSON.stringify({ ...update, updaterCacheDirName: 'sightglass-updater' });
    await writeFile(join(resourcesPath, 'app-update.yml'), content);
  }
  return {
    launch: onStandIn({ isPackaged: true, resourcesPath, installFolder, ...launch }),
    installed: () => readFile(join(installFolder, 'update.zip')).catch(() => undefined),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

/** A copy of `resources/runtime` whose Python runs the stub in place of the launcher. */
async function writeStubRuntime(folder: string, { command }: StubRuntimes): Promise<void> {
  const real = join(root, 'resources/runtime');
  const bin = join(folder, '.venv/bin');
  await mkdir(bin, { recursive: true });
  for (const name of await readdir(real)) {
    if (name !== '.venv' && name !== 'python') await symlink(join(real, name), join(folder, name));
  }
  const [script = '', control = ''] = [command.args[0], command.env?.['STUB_CONTROL']];
  const lines = [
    '#!/bin/sh',
    'case "$3" in',
    `  */launcher) STUB_CONTROL='${control}' exec '${command.python}' '${script}' "$@" ;;`,
    `  *) exec '${real}/.venv/bin/python' "$@" ;;`,
    'esac',
    '',
  ];
  await writeFile(join(bin, 'python'), lines.join('\n'));
  await chmod(join(bin, 'python'), 0o755);
}

export interface StubbedApp extends SightglassApp<StandInApp> {
  stubs: StubRuntimes;
  installed: PackagedApp['installed'];
}

/**
 * The packaged app with the real service and stub runtimes, for requests and failures that last
 * exactly as long as a test wants. It takes questions without pictures.
 */
export async function startStubbed(
  settings: Partial<AppSettings> = {},
  { onStart, stored = {}, imports = [], ...options }: StubbedOptions = {},
): Promise<StubbedApp> {
  const stubs = await StubRuntimes.create(onStart);
  const packaged = await packageApp({ ...options, stubs });
  const { launch, installed } = packaged;
  const given = { launch, stored, imports };
  const running = await startSightglass({ allowTextOnly: true, ...settings }, given);
  return {
    ...running,
    stubs,
    installed,
    [Symbol.asyncDispose]: async () => {
      await running[Symbol.asyncDispose]();
      await packaged[Symbol.asyncDispose]();
      await stubs[Symbol.asyncDispose]();
    },
  };
}

/** A question without a picture. */
export const textQuestion = { messages: [{ role: 'user', content: 'Hello?' }] };
