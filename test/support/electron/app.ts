import { existsSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { launch, readPackage } from './launch.ts';
import { changed, recorder, StrictEmitter, shared } from './shared.ts';

const EVENTS = [
  'ready',
  'activate',
  'second-instance',
  'web-contents-created',
  'window-all-closed',
  'before-quit',
  'will-quit',
  'quit',
];

/** What `app.quit` and `app.exit` need of the window. */
export interface OpenWindow {
  close(): void;
  destroy(): void;
}

class App extends StrictEmitter {
  readonly #package = readPackage();
  readonly #paths = new Map([
    ['exe', process.execPath],
    ['userData', join(launch.folder, 'user-data')],
  ]);
  readonly #ready = Promise.withResolvers<void>();
  #isQuitting = false;
  #opensAtLogin = false;
  /** The app's only window, until it is destroyed. */
  window: OpenWindow | undefined;
  isInDock = true;

  readonly name = this.#package.name;
  readonly isPackaged = launch.isPackaged;
  readonly focus = recorder('app.focus');
  readonly commandLine = { getSwitchValue: findSwitch };
  readonly dock = {
    hide: () => {
      this.isInDock = false;
      changed();
    },
  };

  constructor() {
    super('app', EVENTS);
  }

  whenReady = () => this.#ready.promise;
  getName = () => this.name;
  getVersion = () => this.#package.version;
  getAppPath = () => this.#package.folder;
  requestSingleInstanceLock = () => launch.isFirstInstance;

  getPath(name: string): string {
    const path = this.#paths.get(name);
    if (path === undefined) throw new Error(`the stand-in has no app.getPath('${name}')`);
    return path;
  }

  setPath(name: string, path: string): void {
    this.getPath(name);
    if (!isAbsolute(path)) throw new Error('Path must be absolute');
    if (!existsSync(path)) throw new Error('Failed to set path');
    this.#paths.set(name, path);
  }

  setLoginItemSettings({ openAtLogin }: { openAtLogin: boolean }): void {
    this.#opensAtLogin = openAtLogin;
    changed();
  }

  getLoginItemSettings() {
    return { openAtLogin: this.#opensAtLogin, wasOpenedAtLogin: launch.wasOpenedAtLogin };
  }

  becomeReady(): void {
    shared.isReady = true;
    this.#ready.resolve();
    this.emit('ready', {}, {});
  }

  /** Asks `before-quit`, closes the window, asks `will-quit`; each of the three can prevent it. */
  quit(): void {
    if (this.#isQuitting || this.isPrevented('before-quit')) return;
    this.#isQuitting = true;
    this.window?.close();
    this.#isQuitting = this.window === undefined && !this.isPrevented('will-quit');
    if (this.#isQuitting) this.#end(0);
  }

  /** Ends the app without asking: at once before it is ready, later at the end of this turn. */
  exit(code = 0): void {
    this.#isQuitting = true;
    this.window?.destroy();
    this.#end(code);
  }

  windowClosed(): void {
    this.window = undefined;
    if (!this.#isQuitting && !this.emit('window-all-closed')) this.quit();
  }

  #end(code: number): void {
    this.emit('quit', {}, code);
    if (shared.isReady) setImmediate(() => process.exit(code));
    else process.exit(code);
  }
}

/** The value of `--name=value` on the command line; empty without it. */
function findSwitch(name: string): string {
  const found = launch.args.find((each) => each.startsWith(`--${name}=`));
  return found?.slice(`--${name}=`.length) ?? '';
}

export const app = new App();
