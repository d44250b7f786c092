import { once } from 'node:events';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { type Browser, chromium, type Page } from 'playwright-core';
import { CONTENT_SECURITY_POLICY } from '../../main/panel.ts';
import { findChromium } from '../../scripts/setup-chromium.mjs';
import { withSetupLock } from '../../scripts/setup-lock.mjs';
import type { CommandName } from '../../server/contract.ts';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-background-networking',
];
const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html',
  css: 'text/css',
  js: 'text/javascript',
};

/** Why the panel cannot be tried here, or false. */
export const noChromium =
  findChromium() === undefined ? 'there is no Chromium on this machine' : false;

/**
 * Builds the app into `dist`, as `npm run app` does, unless it is newer than its sources: many tests
 * want it, some at once.
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

/** What a panel without a main process is answered; what it asked is in `window.asked`. */
export type Answers = Partial<Record<CommandName, unknown>>;

export interface PanelOptions {
  answers: Answers;
  colorScheme?: 'light' | 'dark';
  size?: { width: number; height: number };
}

/** The built panel in Chromium, under the app's own policy, with a bridge that the test holds. */
export class BuiltPanel {
  readonly #browser: Browser;
  readonly #server: ReturnType<typeof createServer>;
  /** What went wrong in the pages: errors, and breaches of the policy. */
  readonly complaints: string[] = [];

  private constructor(browser: Browser, server: ReturnType<typeof createServer>) {
    this.#browser = browser;
    this.#server = server;
  }

  static async start(): Promise<BuiltPanel> {
    await buildApp();
    const server = createServer(async ({ url = '/' }, response) => {
      const { pathname } = new URL(url, 'http://panel');
      const file = new URL(`../../dist/renderer${pathname}`, import.meta.url);
      const body = await readFile(file).catch(() => undefined);
      const headers = {
        'content-type': TYPES[pathname.split('.').at(-1) ?? ''] ?? 'text/plain',
        'content-security-policy': CONTENT_SECURITY_POLICY,
      };
      response.writeHead(body === undefined ? 404 : 200, headers).end(body);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const executablePath = findChromium() ?? '';
    return new BuiltPanel(await chromium.launch({ executablePath, args: FLAGS }), server);
  }

  async open({ answers, colorScheme = 'light', size }: PanelOptions): Promise<Page> {
    const viewport = size ?? { width: 420, height: 640 };
    const page = await this.#browser.newPage({ viewport, colorScheme, deviceScaleFactor: 2 });
    page.on('pageerror', ({ message }) => this.complaints.push(message));
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') {
        this.complaints.push(message.text());
      }
    });
    await page.route('**/favicon.ico', (route) => route.fulfill({ status: 204 }));
    await page.addInitScript(fakeBridge, answers);
    const { port } = this.#server.address() as AddressInfo;
    await page.goto(`http://127.0.0.1:${port}/index.html`);
    return page;
  }

  async stop(): Promise<void> {
    await this.#browser.close();
    this.#server.close();
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

/** Tells the panel what main would. */
export async function tell(page: Page, name: string, payload: unknown): Promise<void> {
  await page.evaluate(
    ([event, told]) => {
      const { listeners } = globalThis as unknown as FakeWindow;
      for (const [each, listener] of listeners) if (each === event) listener(told);
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

/** What the panel has asked of main since it was opened, but for what it asks by itself. */
export async function asked(page: Page): Promise<[string, unknown][]> {
  const all = await page.evaluate(() => (globalThis as unknown as FakeWindow).asked);
  return all.filter(([name]) => !BY_ITSELF.has(name));
}
