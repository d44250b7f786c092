import { readFileSync } from 'node:fs';
import type { BrowserWindowConstructorOptions, CustomScheme, Rectangle } from 'electron';
import { app, type OpenWindow } from './app.ts';
import { changed, record, recorder, requireReady, StrictEmitter, shared } from './shared.ts';

type Handler = (event: object, ...args: unknown[]) => unknown;
type OpenHandler = (details: { url: string }) => { action: string };
type PermissionHandler = (
  contents: unknown,
  permission: string,
  answer: (isGranted: boolean) => void,
) => void;

const schemes = new Set<string>();
const protocolHandlers = new Map<string, (request: Request) => Response | Promise<Response>>();
const ipcHandlers = new Map<string, Handler>();
let requestPermission: PermissionHandler = (_contents, _permission, answer) => answer(true);
let checkPermission: (contents: unknown, permission: string) => boolean = () => true;

export const protocol = {
  registerSchemesAsPrivileged(custom: CustomScheme[]): void {
    if (shared.isReady) {
      throw new Error('protocol.registerSchemesAsPrivileged should be called before app is ready');
    }
    for (const { scheme, privileges } of custom) {
      // A page of any other kind of scheme would have another origin than in the stand-in.
      if (privileges?.standard && privileges.secure) schemes.add(scheme);
    }
  },
  handle(scheme: string, handler: (request: Request) => Response | Promise<Response>): void {
    requireReady('protocol');
    if (!schemes.has(scheme)) throw new Error(`the stand-in has no unregistered scheme ${scheme}`);
    protocolHandlers.set(scheme, handler);
  },
};

export const session = {
  get defaultSession() {
    requireReady('session');
    return {
      setPermissionRequestHandler: (handler: PermissionHandler) => {
        requestPermission = handler;
      },
      setPermissionCheckHandler: (handler: typeof checkPermission) => {
        checkPermission = handler;
      },
    };
  },
  /** For electron-updater, which passes it to `net.request`. */
  fromPartition: () => ({}),
};

export const ipcMain = {
  handle(channel: string, handler: Handler): void {
    if (ipcHandlers.has(channel)) {
      throw new Error(`Attempted to register a second handler for '${channel}'`);
    }
    ipcHandlers.set(channel, handler);
  },
};

/** Calls the app's handler of a channel, as a frame with this address. */
export async function invokeFrom(
  frame: { url: string; isSubframe?: boolean },
  channel: string,
  ...args: unknown[]
): Promise<unknown> {
  const handler = ipcHandlers.get(channel);
  if (handler === undefined) throw new Error(`No handler registered for '${channel}'`);
  const parent = frame.isSubframe ? {} : null;
  return await handler({ senderFrame: { url: frame.url, parent } }, ...args);
}

/** What a window shows. The page itself is a tab of the test's Chromium. */
class WebContents extends StrictEmitter {
  #url = '';
  #openHandler: OpenHandler = () => ({ action: 'allow' });
  #isDestroyed = false;

  constructor() {
    // No page has a <webview>, so the last is never emitted.
    super('webContents', ['will-navigate', 'will-attach-webview']);
  }

  isDestroyed = () => this.#isDestroyed;
  getURL = () => this.#url;
  setWindowOpenHandler = (handler: OpenHandler) => {
    this.#openHandler = handler;
  };

  /** Throws for values that structured clone cannot copy. */
  send(channel: string, ...args: unknown[]): void {
    if (this.#isDestroyed) throw new TypeError('Object has been destroyed');
    void shared.test.call('deliver', channel, structuredClone(args)).catch(() => {});
  }

  async loadURL(url: string): Promise<void> {
    this.#url = url;
    await shared.test.call('loadPage', url);
  }

  destroy(): void {
    this.#isDestroyed = true;
    void shared.test.call('closePage').catch(() => {});
  }

  /** What the page asks, by way of the test's process. */
  readonly fromPage = {
    /** The app's response to a request of the page; undefined if its scheme has no handler. */
    request: async (url: string) => {
      const handler = protocolHandlers.get(new URL(url).protocol.slice(0, -1));
      const response = await handler?.(new Request(url));
      if (response === undefined) return undefined;
      const headers = Object.fromEntries(response.headers);
      return { status: response.status, headers, body: await response.bytes() };
    },
    mayNavigate: (url: string) => !this.isPrevented('will-navigate', { url }),
    openWindow: (url: string) => {
      const { action } = this.#openHandler({ url });
      record('window open', url, action);
    },
    invoke: (channel: string, ...args: unknown[]) =>
      invokeFrom({ url: this.#url }, channel, ...args),
    checkPermission: (name: string) => checkPermission(this, name),
    requestPermission: (name: string) =>
      new Promise((resolve) => requestPermission(this, name, resolve)),
  };
}

/** The app's only window. */
export class BrowserWindow extends StrictEmitter implements OpenWindow {
  readonly webContents = new WebContents();
  readonly #bounds: Rectangle;
  #isVisible: boolean;
  #isFocused = false;
  #isDestroyed = false;

  readonly setVisibleOnAllWorkspaces = recorder('BrowserWindow.setVisibleOnAllWorkspaces');

  constructor(options: BrowserWindowConstructorOptions) {
    super('BrowserWindow', ['show', 'hide', 'focus', 'blur', 'close', 'closed']);
    requireReady('BrowserWindow');
    if (app.window !== undefined) throw new Error('the stand-in has only one window');
    record('new BrowserWindow', options);
    const { width = 800, height = 600, show = true, webPreferences } = options;
    this.#bounds = { x: 0, y: 0, width, height };
    this.#isVisible = show;
    app.window = this;
    app.emit('web-contents-created', {}, this.webContents);
    const preload = readFileSync(webPreferences?.preload ?? '', 'utf8');
    void shared.test.call('openPage', preload, { width, height });
  }

  isVisible = () => this.#isVisible;
  isDestroyed = () => this.#isDestroyed;
  getBounds = () => ({ ...this.#bounds });
  loadURL = (url: string) => this.webContents.loadURL(url);

  setPosition(x: number, y: number): void {
    if (!Number.isInteger(x) || !Number.isInteger(y)) {
      throw new TypeError('Error processing argument: a position must be in whole points');
    }
    Object.assign(this.#bounds, { x, y });
    changed();
  }

  show(): void {
    if (!this.#isVisible) this.#setVisible(true);
    this.focus();
  }

  hide(): void {
    if (!this.#isVisible) return;
    this.#setVisible(false);
    this.blur();
  }

  focus(): void {
    if (this.#isFocused || !this.#isVisible) return;
    this.#isFocused = true;
    this.emit('focus', {});
  }

  blur(): void {
    if (!this.#isFocused) return;
    this.#isFocused = false;
    this.emit('blur', {});
  }

  close(): void {
    if (!this.#isDestroyed && !this.isPrevented('close')) this.destroy();
  }

  destroy(): void {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    this.#isVisible = false;
    this.webContents.destroy();
    this.emit('closed');
    app.windowClosed();
  }

  #setVisible(isVisible: boolean): void {
    if (this.#isDestroyed) throw new TypeError('Object has been destroyed');
    this.#isVisible = isVisible;
    void shared.test.call('setPageVisible', isVisible).catch(() => {});
    changed();
    this.emit(isVisible ? 'show' : 'hide', {});
  }
}
