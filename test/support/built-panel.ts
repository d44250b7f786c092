import { once } from 'node:events';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { BrowserContext, Page } from 'playwright-core';
import { CONTENT_SECURITY_POLICY } from '../../main/panel.ts';
import { withSetupLock } from '../../scripts/setup-lock.mjs';
import type { CommandName } from '../../server/contract.ts';
import { openContext } from './chromium.ts';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const BRIDGE = '/test-bridge.js';
const DEFAULT_SIZE = { width: 420, height: 640 };
const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html',
  css: 'text/css',
  js: 'text/javascript',
};

/**
 * Builds the app into `dist`, as `npm run app` does, unless it is newer than its sources. Many tests
 * need it, some at the same time.
 */
export async function buildApp(): Promise<void> {
  const stamp = join(root, 'dist/built');
  await withSetupLock(root, async () => {
    const builtAt = await stat(stamp).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    );
    if (builtAt > (await newestOf(['main', 'server', 'renderer', 'package-lock.json']))) return;
    await execa('npm', ['run', '--silent', 'build'], { cwd: root });
    await writeFile(stamp, '');
  });
}

/** When the latest change was made in these folders and files, in ms. */
async function newestOf(names: readonly string[]): Promise<number> {
  const files = names.map(async (name) => {
    const path = join(root, name);
    if (!(await stat(path)).isDirectory()) return [path];
    const entries = await readdir(path, { recursive: true });
    return entries.map((entry) => join(path, entry));
  });
  const times = (await Promise.all(files)).flat().map(async (file) => (await stat(file)).mtimeMs);
  return Math.max(...(await Promise.all(times)));
}

/** The answers to a panel without a main process; its requests are in `window.asked`. */
export type Answers = Partial<Record<CommandName, unknown>>;

export interface PanelOptions {
  answers: Answers;
  colorScheme?: 'light' | 'dark';
  size?: { width: number; height: number };
}

/**
 * The built panel in Chromium, under the app's own policy, with a bridge that the test controls. All
 * tests of a file share its page, which `open` loads again.
 */
export class BuiltPanel {
  readonly #context: BrowserContext;
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  #answers: Answers = {};
  #page: Page | undefined;
  /** What went wrong in the page: errors, and violations of the policy. */
  readonly complaints: string[] = [];

  private constructor(context: BrowserContext) {
    this.#context = context;
  }

  static async start(): Promise<BuiltPanel> {
    await buildApp();
    const panel = new BuiltPanel(await openContext({ viewport: DEFAULT_SIZE }));
    await once(panel.#server.listen(0, '127.0.0.1'), 'listening');
    return panel;
  }

  async open({ answers, colorScheme = 'light', size }: PanelOptions): Promise<Page> {
    this.#answers = answers;
    const page = this.#page?.isClosed() === false ? this.#page : await this.#create();
    await page.emulateMedia({ colorScheme, reducedMotion: null });
    await page.setViewportSize(size ?? DEFAULT_SIZE);
    await page.mouse.move(0, 0);
    const { port } = this.#server.address() as AddressInfo;
    await page.goto(`http://127.0.0.1:${port}/index.html`);
    return page;
  }

  async stop(): Promise<void> {
    await this.#context.close();
    this.#server.close();
  }

  async #create(): Promise<Page> {
    const page = await this.#context.newPage();
    this.#page = page;
    page.on('pageerror', ({ message }) => this.complaints.push(message));
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') {
        this.complaints.push(message.text());
      }
    });
    return page;
  }

  /** Serves the panel's files, and the bridge before the panel's own script. */
  async #serve({ url = '/' }: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(url, 'http://panel');
    if (pathname === '/favicon.ico') return void response.writeHead(204).end();
    const file = new URL(`../../dist/renderer${pathname}`, import.meta.url);
    const read = () => readFile(file).catch(() => undefined);
    const bridge = () => `(${fakeBridge})(${JSON.stringify(this.#answers)})`;
    let body: Buffer | string | undefined = pathname === BRIDGE ? bridge() : await read();
    if (pathname === '/index.html') {
      body = String(body).replace('<head>', `<head><script src="${BRIDGE}"></script>`);
    }
    response.writeHead(body === undefined ? 404 : 200, {
      'content-type': TYPES[pathname.split('.').at(-1) ?? ''] ?? 'text/plain',
      'content-security-policy': CONTENT_SECURITY_POLICY,
    });
    response.end(body);
  }
}

interface FakeWindow {
  sightglass: unknown;
  asked: [string, unknown][];
  listeners: [string, (payload: unknown) => void][];
}

/** Runs in the page. */
function fakeBridge(answers: Record<string, unknown>): void {
  const page = globalThis as unknown as FakeWindow;
  page.asked = [];
  page.listeners = [];
  page.sightglass = {
    call: async (name: string, input: unknown) => {
      page.asked.push([name, input]);
      const value = answers[name];
      return value instanceof Object && 'refused' in value
        ? { ok: false, message: value['refused'] }
        : { ok: true, value };
    },
    on: (name: string, listener: (payload: unknown) => void) => {
      const entry: [string, (payload: unknown) => void] = [name, listener];
      page.listeners.push(entry);
      return () => page.listeners.splice(page.listeners.indexOf(entry), 1);
    },
  };
}

/** Sends the panel an event as main would. */
export async function emit(page: Page, name: string, payload: unknown): Promise<void> {
  await page.evaluate(
    ([event, payload]) => {
      const { listeners } = globalThis as unknown as FakeWindow;
      for (const [each, listener] of listeners) if (each === event) listener(payload);
    },
    [name, payload] as const,
  );
}

const BY_ITSELF: ReadonlySet<string> = new Set([
  'snapshot',
  'history',
  'findModels',
  'suggestModels',
  'watchLog',
  'unwatchLog',
]);

/** The user's commands that the panel has sent to main since it was opened. */
export async function asked(page: Page): Promise<[string, unknown][]> {
  const all = await page.evaluate(() => (globalThis as unknown as FakeWindow).asked);
  return all.filter(([name]) => !BY_ITSELF.has(name));
}
