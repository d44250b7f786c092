import type { BrowserWindowConstructorOptions, Rectangle } from 'electron';
import { createPageScripts } from '../page/scripts.ts';
import { openWindows, readiness } from '../readiness.ts';
import { announce, recorder } from '../record.ts';
import { isPrevented, StrictEmitter } from '../strict.ts';
import { app } from './app.ts';
import { nativeTheme } from './native-theme.ts';
import { WebContents } from './web-contents.ts';
import { refuseUnknownOptions, WINDOW_EVENTS } from './window-options.ts';

let lastId = 0;

export class BrowserWindow extends StrictEmitter {
  readonly id = ++lastId;
  readonly webContents: WebContents;
  readonly #bounds: Rectangle;
  #isVisible: boolean;
  #isFocused = false;
  #isDestroyed = false;
  #title: string;

  readonly setAlwaysOnTop = recorder('BrowserWindow.setAlwaysOnTop');
  readonly setBackgroundColor = recorder('BrowserWindow.setBackgroundColor');
  readonly setSkipTaskbar = recorder('BrowserWindow.setSkipTaskbar');
  readonly setVibrancy = recorder('BrowserWindow.setVibrancy');
  readonly setVisibleOnAllWorkspaces = recorder('BrowserWindow.setVisibleOnAllWorkspaces');

  constructor(options: BrowserWindowConstructorOptions = {}) {
    super('BrowserWindow', WINDOW_EVENTS);
    readiness.require('BrowserWindow');
    refuseUnknownOptions(options);
    const { webPreferences = {}, show = true, paintWhenInitiallyHidden = true } = options;
    const { x = 0, y = 0, width = 800, height = 600 } = options;
    this.#bounds = { x, y, width, height };
    this.#isVisible = show;
    this.#title = options.title ?? app.name;
    // As Electron documents it: a page that loads unseen still says that it is visible, at first.
    const scripts = createPageScripts(webPreferences.preload, show || paintWhenInitiallyHidden);
    this.webContents = new WebContents(scripts, { width, height });
    this.webContents.once('did-finish-load', () => this.emit('ready-to-show', {}));
    this.setDark(nativeTheme.shouldUseDarkColors);
    openWindows.add(this);
    app.emit('web-contents-created', {}, this.webContents);
    app.emit('browser-window-created', {}, this);
  }

  static getAllWindows(): BrowserWindow[] {
    return [...openWindows].filter((window) => window instanceof BrowserWindow);
  }

  static getFocusedWindow(): BrowserWindow | null {
    return BrowserWindow.getAllWindows().find((window) => window.isFocused()) ?? null;
  }

  isVisible = () => this.#isVisible;
  isFocused = () => this.#isFocused;
  isDestroyed = () => this.#isDestroyed;
  isMinimized = () => false;
  getTitle = () => this.#title;
  getBounds = () => ({ ...this.#bounds });
  getSize = () => [this.#bounds.width, this.#bounds.height];
  getPosition = () => [this.#bounds.x, this.#bounds.y];
  setPosition = (x: number, y: number) => this.setBounds({ x, y });
  setSize = (width: number, height: number) => this.setBounds({ width, height });
  loadURL = (url: string) => this.webContents.loadURL(url);
  told = () => this.webContents.told();

  setTitle(title: string): void {
    this.#title = title;
    announce();
  }

  setBounds(bounds: Partial<Rectangle>): void {
    for (const value of Object.values(bounds)) {
      if (!Number.isInteger(value)) throw new TypeError('Error processing argument: bounds');
    }
    Object.assign(this.#bounds, bounds);
    this.webContents.tell((page) => page.setSize(this.#bounds));
    announce();
  }

  show(): void {
    this.showInactive();
    this.focus();
  }

  showInactive(): void {
    this.#requireLife();
    if (this.#isVisible) return;
    this.#setVisible(true);
    this.emit('show', {});
  }

  hide(): void {
    this.#requireLife();
    if (!this.#isVisible) return;
    this.#setVisible(false);
    this.blur();
    this.emit('hide', {});
  }

  focus(): void {
    this.#requireLife();
    if (this.#isFocused || !this.#isVisible) return;
    for (const other of BrowserWindow.getAllWindows()) other.blur();
    this.#isFocused = true;
    announce();
    this.emit('focus', {});
  }

  blur(): void {
    if (!this.#isFocused) return;
    this.#isFocused = false;
    announce();
    this.emit('blur', {});
  }

  close(): void {
    if (!this.#isDestroyed && !isPrevented(this, 'close')) this.destroy();
  }

  destroy(): void {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    this.#isVisible = false;
    this.#isFocused = false;
    openWindows.delete(this);
    this.webContents.destroy();
    this.emit('closed');
    announce();
    if (openWindows.size === 0) app.lastWindowClosed();
  }

  /** Told by the theme. */
  setDark(isDark: boolean): void {
    this.webContents.tell((page) => page.setDark(isDark));
  }

  #setVisible(isVisible: boolean): void {
    this.#isVisible = isVisible;
    this.webContents.tell((page) => page.setVisible(isVisible));
    announce();
  }

  #requireLife(): void {
    if (this.#isDestroyed) throw new TypeError('Object has been destroyed');
  }
}
