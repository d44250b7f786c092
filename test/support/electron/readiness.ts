import type { Chromium } from './chromium/chromium.ts';
import { readLaunch } from './launch.ts';

// What the modules of the stand-in share. It is one per process, as Electron's is.

/** How this process was started. */
export const launch = readLaunch();

const ready = Promise.withResolvers<void>();
const asked = Promise.withResolvers<void>();
let browser: Chromium | undefined;

export const readiness = {
  get isReady() {
    return browser !== undefined;
  },
  /** Resolves when the app is ready. */
  whenReady(): Promise<void> {
    asked.resolve();
    return ready.promise;
  },
  /** Resolves when the app has asked for the promise above. */
  asked: asked.promise,
  /** Where the windows are opened. */
  get chromium(): Chromium {
    if (browser === undefined) throw new Error('There is no browser before the app is ready');
    return browser;
  },
  become(chromium: Chromium): void {
    browser = chromium;
    ready.resolve();
  },
  /** Throws, as Electron does, when something is used too early. */
  require(what: string): void {
    if (browser === undefined) throw new Error(`${what} cannot be used before the app is ready`);
  },
};

export interface OpenWindow {
  close(): void;
  destroy(): void;
  isDestroyed(): boolean;
  setDark(isDark: boolean): void;
  /** Resolves when its page has been told all that it was to be told by now. */
  told(): Promise<void>;
}

/** Those that are not destroyed, in the order of their creation. */
export const openWindows = new Set<OpenWindow>();
