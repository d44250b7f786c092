import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { _electron, type ElectronApplication, type Page } from 'playwright-core';
import type { AppState, AppUnderTest, MenuItemState } from './electron/app-under-test.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const binary = join(root, 'node_modules/electron/dist/Electron.app/Contents/MacOS/Electron');
const hook = fileURLToPath(new URL('electron-hook.cjs', import.meta.url));

/** Why the app cannot be tried under Electron itself here, or false. */
export const noElectron = existsSync(binary)
  ? false
  : 'Electron’s own binary is not on this machine; the macOS workflow runs this';

type DialogAnswer = Parameters<AppUnderTest['answerDialog']>[0];
/** What the tests do with an app on Electron itself: what can be had of it from outside. */
export type ElectronActions = Pick<
  AppUnderTest,
  | 'page'
  | 'state'
  | 'until'
  | 'clickTray'
  | 'pressTray'
  | 'releaseTray'
  | 'openTrayMenu'
  | 'clickMenuItem'
  | 'answerDialog'
  | 'emitPower'
  | 'openSecondInstance'
  | 'activate'
  | 'blur'
  | 'closeWindow'
  | 'quit'
  | 'output'
  | 'exitCode'
  | 'stop'
>;

interface Kept {
  tray: { emit: (event: string) => void } | undefined;
  image: string;
  title: string;
  answers: unknown[];
  blockers: Map<number, string>;
  describe: () => MenuItemState[] | undefined;
  click: (labels: string[]) => void;
}
declare global {
  /** What the hook keeps, in Electron's main process. */
  var sightglassTest: Kept;
}

/** The built app under Electron itself, with `electron-hook.cjs` in its main process. */
export class ElectronApp implements ElectronActions {
  readonly exitCode: Promise<number | null>;
  readonly #electron: ElectronApplication;
  #output = '';

  private constructor(electron: ElectronApplication) {
    this.#electron = electron;
    const child = electron.process();
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (text: Buffer) => {
        this.#output += text;
      });
    }
    this.exitCode = new Promise((resolve) => child.once('exit', resolve));
  }

  static async start(userData: string, env: Record<string, string>): Promise<ElectronApp> {
    const own = Object.entries(process.env).filter(
      (entry): entry is [string, string] => entry[1] != null,
    );
    const electron = await _electron.launch({
      executablePath: binary,
      // A mock keychain: the real one would wait for the user's permission.
      args: ['-r', hook, root, `--user-data-dir=${userData}`, '--use-mock-keychain'],
      env: { ...Object.fromEntries(own), ...env },
      cwd: root,
    });
    return new ElectronApp(electron);
  }

  output = () => this.#output;
  page = (): Promise<Page> => this.#electron.firstWindow();

  state(): Promise<AppState> {
    return this.#electron.evaluate(async ({ app, BrowserWindow, clipboard }) => {
      const { image, title, blockers, describe } = sightglassTest;
      const menu = describe();
      return {
        isInDock: app.dock?.isVisible() ?? false,
        opensAtLogin: app.getLoginItemSettings().openAtLogin,
        tray: { image, title, isTemplate: true, hasRetina: true },
        ...(menu === undefined ? {} : { menu }),
        windows: BrowserWindow.getAllWindows().map((window) => ({
          url: window.webContents.getURL(),
          isVisible: window.isVisible(),
          bounds: window.getBounds(),
        })),
        dialogs: [],
        blockers: [...blockers.values()],
        clipboard: await clipboard.readText(),
        calls: [],
      };
    });
  }

  /** Electron sends a test no events, so that its state is polled. */
  async until(condition: (state: AppState) => boolean, timeoutMs = 60_000): Promise<AppState> {
    const end = performance.now() + timeoutMs;
    for (;;) {
      const state = await this.state();
      if (condition(state)) return state;
      if (performance.now() > end) {
        throw new Error(
          `No such state in ${timeoutMs} ms. The last:\n${inspect(state)}\n${this.#output}`,
        );
      }
      await setTimeout(100);
    }
  }

  clickTray = (button = 'click') =>
    this.#electron.evaluate((_electron, event) => {
      const events = event === 'click' ? ['mouse-down', 'mouse-up', 'click'] : [event];
      for (const each of events) sightglassTest.tray?.emit(each);
    }, button);

  /** On a Mac, the press takes the focus from the panel before the icon gets its event. */
  pressTray = () =>
    this.#electron.evaluate(({ BrowserWindow }) => {
      BrowserWindow.getAllWindows()[0]?.emit('blur');
      sightglassTest.tray?.emit('mouse-down');
    });

  releaseTray = () =>
    this.#electron.evaluate(() => {
      for (const event of ['mouse-up', 'click']) sightglassTest.tray?.emit(event);
    });

  async openTrayMenu(): Promise<MenuItemState[]> {
    await this.clickTray('right-click');
    return (await this.state()).menu ?? [];
  }

  clickMenuItem = (...labels: string[]) =>
    this.#electron.evaluate((_electron, path) => sightglassTest.click(path), labels);

  answerDialog = (answer: DialogAnswer) =>
    this.#electron.evaluate((_electron, given) => {
      sightglassTest.answers.push(given);
    }, answer);

  emitPower = (event: string) =>
    this.#electron.evaluate(({ powerMonitor }, name) => {
      (powerMonitor as NodeJS.EventEmitter).emit(name);
    }, event);

  openSecondInstance = () =>
    this.#electron.evaluate(({ app }) => {
      app.emit('second-instance', {}, [], '');
    });

  activate = () =>
    this.#electron.evaluate(({ app }) => {
      app.emit('activate', {}, false);
    });

  blur = () => this.#onWindow('blur');
  closeWindow = () => this.#onWindow('close');

  /** The evaluation dies with the app when it quits at once. */
  quit = () => this.#electron.evaluate(({ app }) => app.quit()).catch(() => {});

  async stop(): Promise<void> {
    this.#electron.process().kill('SIGKILL');
    await this.exitCode;
  }

  #onWindow(action: 'blur' | 'close'): Promise<void> {
    return this.#electron.evaluate(({ BrowserWindow }, name) => {
      const [window] = BrowserWindow.getAllWindows();
      if (name === 'close') window?.close();
      else window?.emit('blur');
    }, action);
  }
}
