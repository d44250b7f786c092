import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import type { Page } from 'playwright-core';
import type { AppSettings } from '../../server/contract.ts';
import { buildApp, root } from './built-panel.ts';
import { noChromium } from './chromium.ts';
import type { AppState } from './electron/app-under-test.ts';
import { type AppOptions, type StandInApp, startApp } from './electron/start-app.ts';
import { type ElectronActions, ElectronApp, noElectron } from './electron-app.ts';
import { freePort } from './free-port.ts';
import { demoModel } from './service.ts';

export interface SightglassApp<App = ElectronActions> {
  app: App;
  page: Page;
  /** Where its server listens when it is on. */
  url: string;
  port: number;
  settingsFile: string;
  /** The settings in its file. */
  storedSettings: () => Promise<Record<string, unknown>>;
  [Symbol.asyncDispose]: () => Promise<void>;
}

export type Launch<App = ElectronActions> = (
  userData: string,
  env: Record<string, string>,
) => Promise<App>;
type Start = (settings?: Partial<AppSettings> | null) => Promise<SightglassApp>;
type Scenario = (running: SightglassApp) => Promise<void>;

export interface StartOptions<App> {
  launch: Launch<App>;
  /** Puts files into the home folder before the app is started. */
  furnish?: (home: string) => Promise<void>;
  /** What `settings.json` holds beside the settings. */
  stored?: Record<string, unknown>;
  /** Modules that the app's process imports first. */
  imports?: string[];
}

const main = new URL('../../dist/main/index.js', import.meta.url);
const startElectron: Start = (settings) =>
  startWith(settings, { launch: (...given) => ElectronApp.start(...given) });

/** The built app on the stand-in; its data folder comes from its command line, as under Electron. */
export const onStandIn =
  (options: Partial<AppOptions> = {}): Launch<StandInApp> =>
  (userData, env) =>
    startApp({ main, args: [`--user-data-dir=${userData}`], env, ...options });

/** A scenario that needs an app of its own: on the stand-in, and under Electron where there is one. */
export function appTest(title: string, scenario: (start: Start) => Promise<void>): void {
  test(title, { skip: noChromium }, () => scenario((settings) => startSightglass(settings)));
  test(`${title} (Electron)`, { skip: noElectron }, () => scenario(startElectron));
}

/**
 * Scenarios that share one app, in order: on the stand-in, and under Electron where there is one.
 * Each starts with the panel closed.
 */
export function describeApp(
  title: string,
  settings: Partial<AppSettings> | null,
  define: (scenario: (title: string, run: Scenario) => void) => void,
): void {
  const add = (name: string, skip: string | false, start: Start) =>
    describe(name, { skip }, () => {
      let running: SightglassApp;
      before(async () => {
        running = await start(settings);
        if (settings === null) await running.app.until(isPanelOpen);
        await closePanel(running);
      });
      afterEach(() => closePanel(running));
      after(() => running?.[Symbol.asyncDispose]());
      define((scenario, run) => test(scenario, () => run(running)));
    });
  add(title, noChromium, (given) => startSightglass(given));
  add(`${title} (Electron)`, noElectron, startElectron);
}

/** The built app on the stand-in, with a home folder of its own and the real service and runtime. */
export function startSightglass(
  settings?: Partial<AppSettings> | null,
  { launch = onStandIn(), ...options }: Partial<StartOptions<StandInApp>> = {},
): Promise<SightglassApp<StandInApp>> {
  return startWith(settings, { launch, ...options });
}

const built = { done: undefined as Promise<void> | undefined };

/** Adds the demo model and a free port to the settings; `null` is the very first start. */
async function startWith<App extends ElectronActions>(
  settings: Partial<AppSettings> | null = {},
  { launch, furnish, stored = {}, imports = [] }: StartOptions<App>,
): Promise<SightglassApp<App>> {
  built.done ??= buildApp();
  await built.done;
  const home = await mkdtemp(join(tmpdir(), 'sightglass-home-'));
  const userData = join(home, 'user-data');
  await mkdir(userData);
  const port = settings?.port ?? (await freePort());
  const file = join(userData, 'settings.json');
  await furnish?.(home);
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

export const isPanelOpen = ({ windows }: AppState): boolean =>
  windows.some(({ isVisible }) => isVisible);

/** The icon has the shape for this state. */
export const hasIcon =
  (name: 'ready' | 'stopped' | 'failed') =>
  ({ tray }: AppState): boolean =>
    tray?.image.endsWith(`${name}Template.png`) === true;

/** Not by a click on the icon, which has no effect right after the panel has lost the focus. */
export async function openPanel({ app }: SightglassApp): Promise<void> {
  if (!isPanelOpen(await app.state())) await app.activate();
  await app.until(isPanelOpen);
}

async function closePanel({ app }: SightglassApp): Promise<void> {
  const state = await app.state().catch(() => undefined); // the scenario may have quit the app
  if (state === undefined || !isPanelOpen(state)) return;
  await app.closeWindow();
  await app.until((state) => !isPanelOpen(state));
}

/** Opens the panel and waits until it shows this state. */
export async function showState(running: SightglassApp, words: string): Promise<void> {
  await openPanel(running);
  await running.page.locator('.state-words').getByText(words, { exact: true }).waitFor();
}

/** Opens the panel at a view. */
export async function showView(running: SightglassApp, name: string): Promise<void> {
  await openPanel(running);
  await running.page.getByRole('tab', { name, exact: true }).click();
}
