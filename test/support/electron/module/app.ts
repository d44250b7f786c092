import { existsSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { LoginItemSettings, Settings } from 'electron';
import { readPackage } from '../launch.ts';
import { launch, openWindows, readiness } from '../readiness.ts';
import { announce, record, recorder } from '../record.ts';
import { isPrevented, refuseUnknown, StrictEmitter } from '../strict.ts';

const EVENTS = [
  'will-finish-launching',
  'ready',
  'activate',
  'second-instance',
  'web-contents-created',
  'browser-window-created',
  'window-all-closed',
  'before-quit',
  'will-quit',
  'quit',
];

class App extends StrictEmitter {
  readonly #package = readPackage(launch.main);
  readonly #paths = new Map([
    ['home', homedir()],
    ['temp', tmpdir()],
    ['exe', process.execPath],
    ['userData', launch.userData],
    ['sessionData', launch.userData],
    ...['appData', 'cache', 'logs', 'desktop', 'documents', 'downloads', 'pictures'].map(
      (name): [string, string] => [name, join(launch.folder, name)],
    ),
  ]);
  #isQuitting = false;
  #hasLock = false;
  #isInDock = true;
  #loginItem: Settings = { openAtLogin: false };

  name = this.#package.name;
  readonly isPackaged = launch.isPackaged;
  readonly dock = refuseUnknown('app.dock', {
    hide: () => this.#showInDock(false),
    show: async () => this.#showInDock(true),
    isVisible: () => this.#isInDock,
    setIcon: recorder('app.dock.setIcon'),
    setMenu: recorder('app.dock.setMenu'),
  });
  readonly commandLine = refuseUnknown('app.commandLine', {
    appendSwitch: recorder('app.commandLine.appendSwitch'),
    hasSwitch: (name: string) => findSwitch(name) !== undefined,
    /** Empty for a switch without a value, and for a missing one. */
    getSwitchValue: (name: string) => findSwitch(name) ?? '',
  });

  /** What Electron says of the login item; the person can have switched it off in the settings. */
  loginItemStatus: LoginItemSettings['status'] = 'enabled';

  readonly setAboutPanelOptions = recorder('app.setAboutPanelOptions');
  readonly showAboutPanel = recorder('app.showAboutPanel');
  readonly setActivationPolicy = recorder('app.setActivationPolicy');
  readonly enableSandbox = recorder('app.enableSandbox');
  readonly disableHardwareAcceleration = recorder('app.disableHardwareAcceleration');
  readonly focus = recorder('app.focus');
  readonly hide = recorder('app.hide');
  readonly show = recorder('app.show');
  readonly relaunch = recorder('app.relaunch');

  constructor() {
    super('app', EVENTS);
  }

  isReady = () => readiness.isReady;
  whenReady = () => readiness.whenReady();
  getName = () => this.name;
  setName = (name: string) => {
    this.name = name;
  };
  getVersion = () => this.#package.version;
  getAppPath = () => this.#package.folder;
  getLocale = () => 'en-US';
  hasSingleInstanceLock = () => this.#hasLock;

  requestSingleInstanceLock(): boolean {
    this.#hasLock = launch.isFirstInstance;
    return this.#hasLock;
  }

  releaseSingleInstanceLock(): void {
    this.#hasLock = false;
  }

  getPath(name: string): string {
    const path = this.#paths.get(name);
    if (path === undefined) throw new TypeError(`the stand-in has no app.getPath('${name}')`);
    return path;
  }

  setPath(name: string, path: string): void {
    this.getPath(name);
    if (!isAbsolute(path)) throw new Error('Path must be absolute');
    if (!existsSync(path)) throw new Error('Failed to set path');
    if (name === 'userData' && this.getPath('sessionData') === this.getPath('userData')) {
      this.#paths.set('sessionData', path);
    }
    this.#paths.set(name, path);
  }

  setLoginItemSettings(settings: Settings): void {
    this.#loginItem = settings;
    record('app.setLoginItemSettings', settings);
  }

  getLoginItemSettings() {
    const openAtLogin = this.#loginItem.openAtLogin === true;
    const status = openAtLogin ? this.loginItemStatus : 'not-registered';
    return { openAtLogin, status, wasOpenedAtLogin: launch.wasOpenedAtLogin };
  }

  /** Asks `before-quit`, closes the windows, asks `will-quit`: each of the three can end it. */
  quit(): void {
    if (this.#isQuitting || isPrevented(this, 'before-quit')) return;
    this.#isQuitting = true;
    for (const window of openWindows) window.close();
    this.#isQuitting = openWindows.size === 0 && !isPrevented(this, 'will-quit');
    if (this.#isQuitting) this.#end(0);
  }

  /** Ends it without a question. Before it is ready at once, else when this turn is over. */
  exit(code = 0): void {
    this.#isQuitting = true;
    for (const window of openWindows) window.destroy();
    this.#end(code);
  }

  /** Told by a window that was the last one. */
  lastWindowClosed(): void {
    if (this.#isQuitting) return;
    if (!this.emit('window-all-closed')) this.quit();
  }

  #end(code: number): void {
    this.emit('quit', {}, code);
    if (readiness.isReady) setImmediate(() => process.exit(code));
    else process.exit(code);
  }

  #showInDock(isInDock: boolean): void {
    this.#isInDock = isInDock;
    announce();
  }
}

/** The value of `--name` or `--name=value` on the command line; undefined without it. */
function findSwitch(name: string): string | undefined {
  const found = launch.args.find((each) => each === `--${name}` || each.startsWith(`--${name}=`));
  return found?.slice(`--${name}=`.length);
}

export const app = new App();
