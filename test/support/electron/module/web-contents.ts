import { PageTarget } from '../chromium/page-target.ts';
import type { ToMain } from '../page/preload-world.ts';
import type { PageScripts } from '../page/scripts.ts';
import { createWire } from '../page/wire.ts';
import { readiness } from '../readiness.ts';
import { announce, record, recorder } from '../record.ts';
import { failLoudly, isPrevented, StrictEmitter } from '../strict.ts';
import { answerInvoke, ipcMain } from './ipc-main.ts';
import { answerRequest } from './protocol.ts';
import { answerPermission, defaultSession } from './session.ts';
import { createMainFrame } from './web-frame.ts';

const EVENTS = [
  'dom-ready',
  'did-finish-load',
  'did-navigate',
  'will-navigate',
  'render-process-gone',
  'destroyed',
  // Never emitted here.
  'will-attach-webview',
  'will-redirect',
  'did-fail-load',
  'unresponsive',
  'responsive',
];
const wire = createWire();
let lastId = 0;

type OpenHandler = (details: { url: string; frameName: string }) => { action: string };

/** What a window shows, and how main and the page talk. */
export class WebContents extends StrictEmitter {
  readonly id = ++lastId;
  readonly session = defaultSession;
  readonly mainFrame;
  readonly openDevTools = recorder('webContents.openDevTools');
  readonly #page: Promise<PageTarget>;
  #told: Promise<unknown> = Promise.resolve();
  #openHandler: OpenHandler | undefined;
  #url = '';
  #isDestroyed = false;

  constructor(scripts: PageScripts, size: { width: number; height: number }) {
    super('webContents', EVENTS);
    this.mainFrame = createMainFrame({ url: this.getURL, isDestroyed: this.isDestroyed });
    this.#page = PageTarget.open(readiness.chromium.connection, {
      scripts,
      size,
      answer: answerRequest,
      mayNavigate: (to) => !isPrevented(this, 'will-navigate', { url: to, isMainFrame: true }, to),
      onMessage: (message) => void this.#take(message).catch(failLoudly),
      onWindowOpen: (details) => this.#denyOpening(details),
      onEvent: (name, to) => this.#follow(name, to),
    });
    this.#page.catch(failLoudly);
  }

  /** Does something with the page, for the window or a test; the page may be gone by then. */
  tell(act: (page: PageTarget) => Promise<void>): void {
    this.#told = Promise.allSettled([this.#told, this.#page.then(act)]);
  }

  async told(): Promise<void> {
    await this.#told;
  }

  isDestroyed = () => this.#isDestroyed;
  getURL = () => this.#url;
  isCrashed = () => false;
  setWindowOpenHandler = (handler: OpenHandler) => {
    this.#openHandler = handler;
  };

  /** Throws for what cannot be cloned. */
  send(channel: string, ...args: unknown[]): void {
    if (this.#isDestroyed) throw new TypeError('Object has been destroyed');
    const text = wire.encode(args);
    this.tell((page) => page.deliver({ kind: 'send', channel, text }));
  }

  async loadURL(url: string): Promise<void> {
    this.#url = url;
    await (await this.#page).load(url);
  }

  reload(): void {
    this.tell((page) => page.reload());
  }

  /** Its process ends; nobody waits for that. */
  crash(): void {
    void this.#page.then((page) => page.crash()).catch(() => {});
  }

  /** With its window. */
  destroy(): void {
    this.#isDestroyed = true;
    this.tell((page) => page.close());
    this.emit('destroyed');
  }

  async #take(message: ToMain): Promise<void> {
    if (message.kind === 'preload failed') throw new Error(message.message);
    if (message.kind === 'permission') return await this.#answerPermission(message);
    const { channel } = message;
    const event = { sender: this, senderFrame: this.mainFrame, processId: 1, frameId: 1 };
    const args = wire.decode(message.text) as unknown[];
    if (message.kind === 'send') return void ipcMain.emit(channel, event, ...args);
    const { id } = message;
    const page = await this.#page;
    try {
      const text = wire.encode(await answerInvoke(channel, event, args));
      await page.deliver({ kind: 'answer', id, text });
    } catch (error) {
      const words = `Error invoking remote method '${channel}': ${error}`;
      await page.deliver({ kind: 'refusal', id, message: words });
    }
  }

  async #answerPermission({ id, name }: { id: number; name: string }): Promise<void> {
    const isGranted = await answerPermission(this, name, this.mainFrame);
    const page = await this.#page;
    if (isGranted) await page.grant(name);
    await page.deliver({ kind: 'answer', id, text: wire.encode(isGranted) });
  }

  #denyOpening(details: { url: string; frameName: string }): void {
    const { action } = this.#openHandler?.({ ...details }) ?? { action: 'allow' };
    record('window open', details.url, action);
    if (action !== 'deny') failLoudly(new Error(`the stand-in has no popups (${details.url})`));
  }

  #follow(name: string, url: string): void {
    if (name === 'did-navigate') {
      this.#url = url;
      announce();
      this.emit(name, {}, url, 200, '');
    } else if (name === 'gone') {
      this.emit('render-process-gone', {}, { reason: 'crashed', exitCode: 5 });
    } else this.emit(name, {});
  }
}
