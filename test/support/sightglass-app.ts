import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import type { AppSettings } from '../../server/contract.ts';
import { buildApp, noChromium, root } from './built-panel.ts';
import type { AppUnderTest } from './electron/app-under-test.ts';
import { type AppOptions, startApp } from './electron/start-app.ts';
import { type ElectronActions, ElectronApp, noElectron } from './electron-app.ts';
import { freePort } from './free-port.ts';
import { demoModel } from './service.ts';

export interface SightglassApp {
  app: ElectronActions;
  page: Page;
  /** Where its server listens when it is on. */
  url: string;
  port: number;
  settingsFile: string;
  /** What it has written of the settings. */
  storedSettings: () => Promise<Record<string, unknown>>;
  [Symbol.asyncDispose]: () => Promise<void>;
}

type Launch<App = ElectronActions> = (
  userData: string,
  env: Record<string, string>,
) => Promise<App>;
const main = new URL('../../dist/main/index.js', import.meta.url);

/** The built app on the stand-in; its data folder comes from its command line, as under Electron. */
export const onStandIn =
  (options: Partial<AppOptions> = {}): Launch<AppUnderTest> =>
  (userData, env) =>
    startApp({ main, args: [`--user-data-dir=${userData}`], env, ...options });

/** A scenario of the app: on the stand-in, and under Electron itself where that is. */
export function appTest(
  title: string,
  scenario: (
    start: (settings?: Partial<AppSettings> | null) => Promise<SightglassApp>,
  ) => Promise<void>,
): void {
  test(title, { skip: noChromium }, () => scenario((settings) => startSightglass(settings)));
  test(`${title} (Electron)`, { skip: noElectron }, () =>
    scenario((settings) => startSightglass(settings, { launch: ElectronApp.start })),
  );
}

const built = { done: undefined as Promise<void> | undefined };

/**
 * The built app, with a home of its own and the real service and runtime behind. Its settings are
 * those given on top of the demo model and a free port; `null` is the first start there ever was.
 */
export async function startSightglass(
  settings: Partial<AppSettings> | null = {},
  {
    imports = [],
    launch = onStandIn(),
    furnish = async () => {},
    stored = {},
  }: {
    imports?: string[];
    launch?: Launch;
    /** Puts things into the home before it is started. */
    furnish?: (home: string) => Promise<void>;
    /** What `settings.json` holds beside the settings. */
    stored?: Record<string, unknown>;
  } = {},
): Promise<SightglassApp> {
  built.done ??= buildApp();
  await built.done;
  const home = await mkdtemp(join(tmpdir(), 'sightglass-home-'));
  const userData = join(home, 'user-data');
  await mkdir(userData);
  const port = settings?.port ?? (await freePort());
  const file = join(userData, 'settings.json');
  await furnish(home);
  const chosen = settings === null ? { port } : { modelPath: demoModel, ...settings, port };
  await writeFile(file, JSON.stringify({ settings: chosen, ...stored }));
  const app = await launch(userData, {
    HOME: home,
    XDG_STATE_HOME: home,
    HF_HOME: home,
    NODE_OPTIONS: imports.map((file) => `--import=${join(root, file)}`).join(' '),
  });
  const dispose = async () => {
    await app.stop();
    await rm(home, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  };
  try {
    const page = await app.page();
    page.setDefaultTimeout(60_000);
    return {
      app,
      page,
      url: `http://127.0.0.1:${port}`,
      port,
      settingsFile: file,
      storedSettings: async () => JSON.parse(await readFile(file, 'utf8')).settings,
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** The app on the stand-in, for what a test can do only there. */
export async function startOnStandIn(
  settings: Partial<AppSettings> | null,
  { stored = {}, ...options }: Partial<AppOptions> & { stored?: Record<string, unknown> } = {},
): Promise<SightglassApp & { app: AppUnderTest }> {
  const launched = Promise.withResolvers<AppUnderTest>();
  const launch: Launch = async (userData, env) => {
    const app = await onStandIn(options)(userData, env);
    launched.resolve(app);
    return app;
  };
  const running = await startSightglass(settings, { launch, stored });
  return { ...running, app: await launched.promise };
}

/** Opens the panel and waits until it says that the state is so. */
export async function showState({ app, page }: SightglassApp, words: string): Promise<void> {
  const { windows } = await app.state();
  if (!windows.some(({ isVisible }) => isVisible)) await app.clickTray();
  await page.locator('.state-words').getByText(words, { exact: true }).waitFor();
}
