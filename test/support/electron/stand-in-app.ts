import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { type Browser, chromium, type Page } from 'playwright-core';
import type { AppActions, AppState, AppUnderTest, MenuItemState } from './app-under-test.ts';
import { isLoopback } from './chromium/address.ts';
import type { HostProcess } from './host-process.ts';

const CHANGE_MS = 60_000;
const END_MS = 3000;
const ignore = () => {};

/** An app on the stand-in, in a process of its own. Its pages are reached at its Chromium. */
export class StandInApp implements AppUnderTest {
  readonly userData: string;
  readonly exitCode: Promise<number | null>;
  readonly #host: HostProcess;
  readonly #folder: string;
  #browser: Promise<Browser> | undefined;
  #page: Promise<Page> | undefined;
  #stopped: Promise<void> | undefined;

  constructor(host: HostProcess, { folder, userData }: { folder: string; userData: string }) {
    this.#host = host;
    this.#folder = folder;
    this.userData = userData;
    this.exitCode = host.exitCode;
  }

  readonly clickTray = this.#action('clickTray');
  readonly pressTray = this.#action('pressTray');
  readonly releaseTray = this.#action('releaseTray');
  readonly pressTrayByVoiceOver = this.#action('pressTrayByVoiceOver');
  readonly invokeFrom = this.#action('invokeFrom');
  readonly clickMenuItem = this.#action('clickMenuItem');
  readonly answerDialog = this.#action('answerDialog');
  readonly emitPower = this.#action('emitPower');
  readonly activate = this.#action('activate');
  readonly openSecondInstance = this.#action('openSecondInstance');
  readonly blur = this.#action('blur');
  readonly closeWindow = this.#action('closeWindow');
  readonly clickNotification = this.#action('clickNotification');
  readonly setDark = this.#action('setDark');
  readonly placeTray = this.#action('placeTray');
  readonly plugDisplays = this.#action('plugDisplays');
  readonly setKeychain = this.#action('setKeychain');
  readonly setLoginItemStatus = this.#action('setLoginItemStatus');
  readonly setOpenPathError = this.#action('setOpenPathError');
  readonly crashPage = this.#action('crashPage');
  /** It may be gone before it can answer. */
  readonly quit = () => this.#host.ask('quit', []).then(ignore, ignore);

  output = () => this.#host.output;

  page(): Promise<Page> {
    this.#page ??= this.#findPage();
    return this.#page;
  }

  async state(): Promise<AppState> {
    return (await this.#host.ask('state', [])) as AppState;
  }

  async until(condition: (state: AppState) => boolean, timeoutMs = CHANGE_MS): Promise<AppState> {
    const signal = AbortSignal.timeout(timeoutMs);
    for (;;) {
      const listening = new AbortController();
      const changed = this.#host.change(AbortSignal.any([signal, listening.signal])).then(
        () => true,
        () => false,
      );
      const state = await this.state();
      try {
        if (condition(state)) return state;
        if (await changed) continue;
      } finally {
        listening.abort();
      }
      const last = inspect(state, { depth: 5 });
      throw new Error(`No such state in ${timeoutMs} ms. The last:\n${last}\n${this.output()}`);
    }
  }

  async openTrayMenu(): Promise<MenuItemState[]> {
    await this.clickTray('right-click');
    const { menu } = await this.state();
    if (menu === undefined) throw new Error('The icon has shown no menu.');
    return menu;
  }

  async takeScreenshots(folder: string, name: string): Promise<void> {
    const page = await this.page();
    for (const colorScheme of ['dark', 'light'] as const) {
      await this.setDark(colorScheme === 'dark');
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: join(folder, `${name}-${colorScheme}.png`) });
    }
  }

  kill(): Promise<void> {
    return this.#host.kill();
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #action<Name extends keyof AppActions>(name: Name) {
    return async (...args: Parameters<AppActions[Name]>): Promise<void> => {
      await this.#host.ask(name, args);
    };
  }

  async #findPage(): Promise<Page> {
    await this.until(({ windows }) => windows.length > 0);
    this.#browser ??= chromium.connectOverCDP(await this.#host.started);
    const browser = await this.#browser;
    const isPanel = ({ href }: URL) => isLoopback(href);
    const found = Promise.withResolvers<Page>();
    const watch = (page: Page) => {
      page.waitForURL(isPanel, { waitUntil: 'load', timeout: CHANGE_MS }).then(
        () => found.resolve(page),
        (error) => found.reject(error),
      );
    };
    for (const context of browser.contexts()) {
      context.on('page', watch);
      for (const page of context.pages()) watch(page);
    }
    return await found.promise;
  }

  async #stop(): Promise<void> {
    await this.#host.end(END_MS);
    // Its Chromium is gone; this ends playwright's side.
    await this.#browser?.then((browser) => browser.close()).catch(() => {});
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}
