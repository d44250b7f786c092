import type { Page, Route } from 'playwright-core';
import { openContext } from '../chromium.ts';
import { toPageScript } from './page-script.ts';

/** Calls what the app's window has for its page: a request, an IPC message, a permission. */
type AskApp = <Result>(name: string, ...args: unknown[]) => Promise<Result>;
type AppResponse = { status: number; headers: Record<string, string>; body: Uint8Array };

// Chromium does not know the app's scheme. Its pages are opened under a name of loopback instead,
// which is a secure context too; no request for such a name leaves the browser.
const SUFFIX = '.standin.localhost';
// With a sandbox that does not allow popups, Chromium itself refuses every popup with null for the
// page, as Electron does when the window-open handler denies it.
const NO_POPUPS =
  'sandbox allow-scripts allow-same-origin allow-forms allow-modals allow-downloads';

/** The page of the app's window: a tab of the test's Chromium. */
export class StandInPage {
  readonly #askApp: AskApp;
  readonly #loaded = Promise.withResolvers<Page>();
  #page: Promise<Page> | undefined;
  #tasks: Promise<unknown> = Promise.resolve();
  #isLoading = false;

  constructor(askApp: AskApp) {
    this.#askApp = askApp;
    this.#loaded.promise.catch(() => {}); // a test need not look at the page
  }

  /** Resolves when the page has loaded. */
  get loaded(): Promise<Page> {
    return this.#loaded.promise;
  }

  /** Resolves when the page has received what the app has sent so far. */
  async settled(): Promise<void> {
    await this.#tasks;
  }

  async close(): Promise<void> {
    this.#loaded.reject(new Error('The app has ended.'));
    await this.#page?.then((page) => page.context().close()).catch(() => {});
  }

  /** What the app's window calls. */
  readonly fromApp = {
    openPage: (preload: string, viewport: { width: number; height: number }) => {
      this.#page = this.#open(preload, viewport);
      this.#page.catch((error) => this.#loaded.reject(error));
    },
    loadPage: async (url: string) => {
      const page = await this.#page;
      if (page === undefined) return;
      this.#isLoading = true;
      await page.goto(toLoopback(url), { waitUntil: 'load' });
      this.#isLoading = false;
      this.#loaded.resolve(page);
    },
    deliver: (channel: string, args: unknown[]) => this.#dispatch('message', { channel, args }),
    setPageVisible: (isVisible: boolean) => this.#dispatch('visibility', isVisible),
    closePage: () => this.close(),
  };

  /** Dispatches an event to the page script. The page may be gone by then. */
  #dispatch(name: string, detail: unknown): Promise<unknown> {
    const dispatch = ([type, detail]: [string, unknown]) =>
      (globalThis as unknown as EventTarget).dispatchEvent(
        new CustomEvent(`stand-in ${type}`, { detail }),
      );
    const task = this.#tasks
      .then(() => this.#page)
      .then((page) => page?.evaluate(dispatch, [name, detail] as [string, unknown]))
      .catch(() => {});
    this.#tasks = task;
    return task;
  }

  async #open(preload: string, viewport: { width: number; height: number }): Promise<Page> {
    const context = await openContext({ viewport });
    await context.exposeFunction('standIn', this.#askApp);
    await context.addInitScript(toPageScript(preload));
    const page = await context.newPage();
    await page.route('**/*', (route) => this.#answer(page, route));
    const session = await context.newCDPSession(page);
    session.on('Page.windowOpen', ({ url }) => void this.#askApp('openWindow', url));
    await session.send('Page.enable');
    return page;
  }

  /** Answers a request with the app's protocol handler; no test reaches the network. */
  async #answer(page: Page, route: Route): Promise<void> {
    const request = route.request();
    const url = fromLoopback(request.url());
    const isDocument = request.isNavigationRequest() && request.frame() === page.mainFrame();
    if (isDocument && !this.#isLoading && !(await this.#askApp<boolean>('mayNavigate', url))) {
      return await route.abort('aborted');
    }
    const response = await this.#askApp<AppResponse | undefined>('request', url);
    if (response === undefined) return await route.abort('blockedbyclient');
    const { status, headers, body } = response;
    const policies = [headers['content-security-policy'], ...(isDocument ? [NO_POPUPS] : [])];
    await route.fulfill({
      status,
      headers: { ...headers, 'content-security-policy': policies.filter(Boolean).join(', ') },
      body: Buffer.from(body),
    });
  }
}

function toLoopback(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `http://${host}.${protocol.slice(0, -1)}${SUFFIX}${pathname}`;
}

/** The app's own address for it; others stay as they are. */
function fromLoopback(url: string): string {
  const { hostname, pathname } = new URL(url);
  if (!hostname.endsWith(SUFFIX)) return url;
  const [host, scheme] = hostname.slice(0, -SUFFIX.length).split('.');
  return `${scheme}://${host}${pathname}`;
}
