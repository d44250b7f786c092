import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import type { AppActions, AppState, AppUnderTest, MenuItemState } from './app-under-test.ts';
import { Channel } from './channel.ts';
import { LAUNCH_VARIABLE, type Launch } from './launch.ts';
import { StandInPage } from './page.ts';

const READY_MS = 60_000;
const CHANGE_MS = 60_000;
const END_MS = 3000;

export interface AppOptions extends Partial<Omit<Launch, 'main' | 'folder'>> {
  /** The app's entry file. */
  main: URL;
  /** In addition to the environment of the test's own process. */
  env?: NodeJS.ProcessEnv;
}

/**
 * Runs an app on the stand-in, in a process of its own that ends with the test's, and resolves when
 * it is ready. Rejects with its output if it ends before.
 */
export async function startApp({ main, env = {}, ...options }: AppOptions): Promise<StandInApp> {
  const folder = mkdtempSync(join(tmpdir(), 'sightglass-app-'));
  mkdirSync(join(folder, 'user-data'));
  const launch: Launch = {
    isPackaged: false,
    args: [],
    isOnMac: false,
    signature: 'identity',
    installFolder: join(folder, 'installed'),
    wasOpenedAtLogin: false,
    isKeychainOpen: true,
    isFirstInstance: true,
    ...options,
    main: fileURLToPath(main),
    folder,
  };
  // Compiling the app's modules is most of the CPU time of a start.
  const cache = {
    NODE_COMPILE_CACHE: fileURLToPath(new URL('../../node_modules/.cache/stand-in', main)),
  };
  const host = fileURLToPath(new URL('host.ts', import.meta.url));
  const child = spawn(process.execPath, [host], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    serialization: 'advanced',
    env: { ...process.env, ...cache, ...env, [LAUNCH_VARIABLE]: JSON.stringify(launch) },
  });
  const app = new StandInApp(child, folder);
  try {
    await app.started;
    return app;
  } catch (error) {
    await app.stop();
    throw error;
  }
}

/** An app on the stand-in. */
export class StandInApp implements AppUnderTest {
  readonly started: Promise<void>;
  readonly exitCode: Promise<number | null>;
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #channel: Channel;
  readonly #page: StandInPage;
  readonly #changes = new EventEmitter().setMaxListeners(0);
  #output = '';
  #stopped: Promise<void> | undefined;

  constructor(child: ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
    const started = Promise.withResolvers<void>();
    this.started = started.promise;
    this.#page = new StandInPage((...args) => this.#channel.call('fromPage', ...args));
    this.#channel = new Channel(child, {
      started: () => started.resolve(),
      changed: () => void this.#changes.emit('change'),
      ...this.#page.fromApp,
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text) => {
        this.#output += text;
        this.#changes.emit('change');
      });
    }
    const late = setTimeout(() => {
      const cause = 'Does its entry file await app.whenReady() at its top level?';
      started.reject(new Error(`The app is not ready after ${READY_MS} ms. ${cause}`));
    }, READY_MS);
    this.started.catch(() => {}).finally(() => clearTimeout(late));
    // `close` and not `exit`: by then all of the output has been read.
    this.exitCode = once(child, 'close').then(([code]) => {
      const how = child.signalCode ?? code;
      const error = new Error(`The app has ended (${how}).\n${this.#output}`);
      started.reject(error);
      this.#channel.close(error);
      this.#changes.emit('change');
      return code;
    });
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
  readonly placeTray = this.#action('placeTray');
  readonly setKeychain = this.#action('setKeychain');
  /** The app may be gone before it can answer. */
  readonly quit = () => this.#action('quit')().catch(() => {});

  output = () => this.#output;
  page = () => this.#page.loaded;
  state = () => this.#channel.call<AppState>('state');

  async until(condition: (state: AppState) => boolean, timeoutMs = CHANGE_MS): Promise<AppState> {
    const timeout = AbortSignal.timeout(timeoutMs);
    for (;;) {
      const listening = new AbortController();
      const signal = AbortSignal.any([timeout, listening.signal]);
      const change = once(this.#changes, 'change', { signal }).then(
        () => true,
        () => false,
      );
      try {
        const state = await this.state();
        if (condition(state)) return state;
        if (await change) continue;
        const last = inspect(state, { depth: 5 });
        throw new Error(`No such state in ${timeoutMs} ms. The last:\n${last}\n${this.#output}`);
      } finally {
        listening.abort();
      }
    }
  }

  async openTrayMenu(): Promise<MenuItemState[]> {
    await this.clickTray('right-click');
    return (await this.state()).menu ?? [];
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  #action<Name extends keyof AppActions>(name: Name) {
    return async (...args: Parameters<AppActions[Name]>): Promise<void> => {
      await this.#channel.call(name, ...args);
      await this.#page.settled();
    };
  }

  async #stop(): Promise<void> {
    // Not disconnect(): after that Node does not report that the child has closed.
    this.#channel.call('exit').catch(() => {});
    const patience = setTimeout(() => this.#child.kill('SIGKILL'), END_MS);
    await this.exitCode;
    clearTimeout(patience);
    await this.#page.close();
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}
