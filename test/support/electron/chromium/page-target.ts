import type { ToPage } from '../page/preload-world.ts';
import { fromLoopback, toLoopback } from './address.ts';
import type { Answer, Connection, Session } from './connection.ts';
import { recordErrors } from './page-errors.ts';
import type { PageHost } from './page-host.ts';
import { PRELOAD_WORLD, PreloadWorld } from './preload-world.ts';
import { interceptRequests } from './requests.ts';

const CHROMIUM_PERMISSIONS: Readonly<Record<string, string[]>> = {
  media: ['audioCapture', 'videoCapture'],
  'clipboard-read': ['clipboardReadWrite'],
};

/** A window's page: a tab of the headless Chromium, with the preload in a world of its own. */
export class PageTarget {
  readonly id: string;
  readonly #connection: Connection;
  readonly #session: Session;
  readonly #host: PageHost;
  readonly #world: PreloadWorld;
  #isVisible: boolean | undefined;
  #isLoading = false;

  private constructor(connection: Connection, id: string, session: Session, host: PageHost) {
    this.#connection = connection;
    this.id = id;
    this.#session = session;
    this.#host = host;
    this.#world = new PreloadWorld(session, id, () => {
      if (this.#isVisible !== undefined) void this.setVisible(this.#isVisible);
    });
  }

  static async open(connection: Connection, host: PageHost): Promise<PageTarget> {
    const { targetId } = await connection.send('Target.createTarget', {
      url: 'about:blank',
      newWindow: true,
      ...host.size,
    });
    const attached = await connection.send('Target.attachToTarget', { targetId, flatten: true });
    const session = connection.session(attached.sessionId);
    const page = new PageTarget(connection, targetId, session, host);
    await page.#prepare();
    return page;
  }

  /** Resolves when the document has loaded. */
  async load(url: string): Promise<void> {
    const loaded = Promise.withResolvers<void>();
    this.#session.events.once('Page.loadEventFired', () => loaded.resolve());
    this.#isLoading = true;
    const { errorText } = await this.#session.send('Page.navigate', { url: toLoopback(url) });
    this.#isLoading = false;
    if (errorText !== undefined) throw new Error(`${errorText} loading '${url}'`);
    await loaded.promise;
  }

  /** Tells the preload something; nobody hears it while there is no document. */
  async deliver(message: ToPage): Promise<void> {
    await this.#world.call('(message) => standInReceive(message)', message);
  }

  async setVisible(isVisible: boolean): Promise<void> {
    this.#isVisible = isVisible;
    const { visibilityEvent } = this.#host.scripts;
    const tell = '(name, detail) => dispatchEvent(new CustomEvent(name, { detail }))';
    await this.#world.call(tell, visibilityEvent, isVisible);
  }

  async setDark(isDark: boolean): Promise<void> {
    const features = [{ name: 'prefers-color-scheme', value: isDark ? 'dark' : 'light' }];
    await this.#session.send('Emulation.setEmulatedMedia', { features });
  }

  async setSize({ width, height }: { width: number; height: number }): Promise<void> {
    const metrics = { width, height, deviceScaleFactor: 0, mobile: false };
    await this.#session.send('Emulation.setDeviceMetricsOverride', metrics);
  }

  async reload(): Promise<void> {
    this.#isLoading = true;
    this.#session.events.once('Page.loadEventFired', () => {
      this.#isLoading = false;
    });
    await this.#session.send('Page.reload');
  }

  async crash(): Promise<void> {
    await this.#session.send('Page.crash');
  }

  /** What Electron has granted, Chromium grants too, where it knows such a thing. */
  async grant(permission: string): Promise<void> {
    const permissions = CHROMIUM_PERMISSIONS[permission] ?? [permission];
    await this.#connection.send('Browser.grantPermissions', { permissions }).catch(() => {});
  }

  async close(): Promise<void> {
    await this.#connection.send('Target.closeTarget', { targetId: this.id });
  }

  async #prepare(): Promise<void> {
    const { scripts, size, ...host } = this.#host;
    this.#listen();
    const send = this.#session.send.bind(this.#session);
    const binding = { name: 'standInSend', executionContextName: PRELOAD_WORLD };
    const preload = { source: scripts.preload, worldName: PRELOAD_WORLD };
    const mayNavigate = (url: string) => this.#isLoading || host.mayNavigate(url);
    await Promise.all([
      send('Page.enable'),
      send('Runtime.enable'),
      send('Log.enable'),
      send('Runtime.addBinding', binding),
      send('Page.addScriptToEvaluateOnNewDocument', { source: scripts.main }),
      send('Page.addScriptToEvaluateOnNewDocument', preload),
      this.setSize(size),
      interceptRequests(this.#session, this.id, { ...host, mayNavigate }),
    ]);
  }

  #listen(): void {
    const session = this.#session;
    const host = this.#host;
    session.on('Runtime.bindingCalled', ({ payload }) => host.onMessage(JSON.parse(payload)));
    session.on('Page.windowOpen', ({ url, windowName }) =>
      host.onWindowOpen({ url: fromLoopback(url), frameName: windowName }),
    );
    session.on('Page.frameStartedNavigating', (started) => this.#leave(started));
    session.on('Page.frameNavigated', ({ frame }) => {
      if (frame.id === this.id) host.onEvent('did-navigate', fromLoopback(frame.url));
    });
    session.on('Page.domContentEventFired', () => host.onEvent('dom-ready', ''));
    session.on('Page.loadEventFired', () => host.onEvent('did-finish-load', ''));
    session.on('Inspector.targetCrashed', () => host.onEvent('gone', ''));
    recordErrors(session);
  }

  /**
   * A page that goes to a scheme which Chromium does not know makes no request of it. Ours has to
   * come after the start of the page's own: a navigation that begins ends the one before.
   */
  #leave({ frameId, url }: Answer): void {
    if (frameId !== this.id || /^(https?|about):/.test(url)) return;
    if (this.#host.mayNavigate(url)) void this.load(url);
  }
}
