import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { connectRuntime } from './connect-runtime.ts';
import type { LauncherLine } from './launcher-line.ts';
import type { RuntimeCommand } from './python-process.ts';
import type { RuntimeConnection } from './runtime-connection.ts';
import { RuntimeFailedError, RuntimeStoppedError } from './runtime-errors.ts';
import { RuntimeProcess } from './runtime-process.ts';
import {
  CRASH_WINDOW_MS,
  type Failure,
  next,
  type RuntimeEvent,
  type RuntimeState,
} from './runtime-state.ts';
import { levelOf, toLogFields } from './runtime-state-log.ts';

export interface RuntimeSupervisorOptions {
  command: RuntimeCommand;
  modelPath: string;
  hangTimeoutMs: number;
  log: Logger;
  /** The clock of the hang watch, in ms. */
  now?: () => number;
  /** Told when a model could not be loaded and the one before it is served again. */
  onRollback?: (modelPath: string, failure: Failure) => void;
}

/**
 * Keeps one runtime alive: starts it, watches it, starts it again after a crash or a hang. Callers
 * say `ensureReady`; they never look at the state and act.
 */
export class RuntimeSupervisor {
  readonly #options: RuntimeSupervisorOptions;
  readonly #listeners = new Set<(state: RuntimeState) => void>();
  #state: RuntimeState = { phase: 'stopped' };
  #process: RuntimeProcess | undefined;
  /** The launch under way, until its process is gone and its socket folder removed. */
  #life: Promise<void> = Promise.resolve();
  #connection: RuntimeConnection | undefined;
  #retry: NodeJS.Timeout | undefined;
  #crashes: number[] = [];
  #loadingCrashes = 0;
  /** The model that was served, until the one that replaces it is ready. */
  #fallback: string | undefined;
  #shutDown = false;

  constructor(options: RuntimeSupervisorOptions) {
    this.#options = { ...options };
  }

  get state(): RuntimeState {
    return this.#state;
  }

  onChange(listener: (state: RuntimeState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Starts the runtime unless it is up already. What comes of it is in the state. */
  start(): void {
    if (this.#shutDown) throw new RuntimeStoppedError();
    this.#crashes = [];
    this.#loadingCrashes = 0;
    this.#apply({ type: 'start' });
  }

  /** Stops the runtime, and any restart that was due. Twice is fine. */
  async stop(): Promise<void> {
    this.#apply({ type: 'stop' });
    this.#process?.stop();
    await this.#life;
  }

  /**
   * Stops the runtime once it generates nothing. It is started again for the next who needs it;
   * those who ask meanwhile wait for that.
   */
  async unload(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.idle();
    this.#apply({ type: 'unload' });
    if (this.#state.phase !== 'unloading') return;
    this.#process?.stop();
    await this.#life;
  }

  /**
   * Serves this model from now on: what runs comes to its end first, what waits goes on waiting. If
   * it cannot be loaded, the model that was ready before is served again.
   */
  async load(modelPath: string): Promise<void> {
    if (this.#state.phase === 'ready') this.#fallback = this.#options.modelPath;
    this.#options.modelPath = modelPath;
    await this.restart();
  }

  /** Starts the runtime anew, once it generates nothing; what waits goes on waiting. */
  async restart(): Promise<void> {
    await this.unload();
    const { phase } = this.#state;
    if (phase !== 'stopped' && phase !== 'stopping') this.start();
  }

  setHangTimeout(hangTimeoutMs: number): void {
    this.#options.hangTimeoutMs = hangTimeoutMs;
  }

  /** Stops for good. */
  async shutdown(): Promise<void> {
    this.#shutDown = true;
    await this.stop();
  }

  /**
   * Resolves with a runtime that is ready, waiting for a start or restart that is under way.
   * @throws RuntimeFailedError, RuntimeStoppedError, or the signal's reason
   */
  ensureReady(signal: AbortSignal): Promise<RuntimeConnection> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        const state = this.#state;
        if (signal.aborted) reject(signal.reason);
        else if (state.phase === 'failed') reject(new RuntimeFailedError(state.failure));
        else if (state.phase === 'stopped' || state.phase === 'stopping')
          reject(new RuntimeStoppedError());
        else if (this.#connection !== undefined) resolve(this.#connection);
        else {
          if (state.phase === 'unloaded') queueMicrotask(this.#startUnloaded);
          return false;
        }
        return true;
      };
      if (settle()) return;
      const check = () => {
        if (!settle()) return;
        forget();
        signal.removeEventListener('abort', check);
      };
      const forget = this.onChange(check);
      signal.addEventListener('abort', check);
    });
  }

  /** Later than the change it follows, so that all listeners hear of that first. */
  readonly #startUnloaded = (): void => {
    if (this.#state.phase === 'unloaded' && !this.#shutDown) this.start();
  };

  /** The only writer of the state. What a phase needs is begun or ended here. */
  #apply(event: RuntimeEvent): void {
    const before = this.#state;
    const state = next(before, event);
    if (state === before) return;
    this.#state = state;
    const level = state.phase === before.phase ? 'debug' : levelOf(state);
    this.#options.log[level](toLogFields(state), `runtime ${state.phase}`);
    clearTimeout(this.#retry);
    if (state.phase !== 'ready') this.#connection = undefined;
    if (state.phase === 'starting')
      this.#life = this.#life.then(() => this.#launch()).catch(this.#failToLaunch);
    if (state.phase === 'crashed') {
      this.#retry = setTimeout(() => this.#apply({ type: 'start' }), state.retryInMs);
    }
    for (const listener of [...this.#listeners]) listener(state);
  }

  async #launch(): Promise<void> {
    if (this.#state.phase !== 'starting') return this.#exited('stopped before it was started');
    const directory = await mkdtemp(join(tmpdir(), 'sightglass-'));
    try {
      if (this.#state.phase !== 'starting') return this.#exited('stopped before it was started');
      const socketPath = join(directory, 'runtime.sock');
      const { command, modelPath, log } = this.#options;
      const process: RuntimeProcess = new RuntimeProcess({
        command,
        socketPath,
        modelPath,
        log,
        onLine: (line) => this.#hear(line, socketPath, process),
        onExit: (reason) => this.#exited(reason),
      });
      this.#process = process;
      await process.exited;
    } finally {
      this.#process = undefined;
      await rm(directory, { recursive: true, force: true });
    }
  }

  readonly #failToLaunch = (error: Error): void => {
    this.#options.log.error({ err: error }, 'the runtime could not be launched');
    const remedy = `Is there room in ${tmpdir()}, and may it be written to?`;
    this.#apply({
      type: 'fatal',
      failure: { reason: 'launch_failed', message: error.message, remedy },
    });
  };

  #hear(line: LauncherLine, socketPath: string, process: RuntimeProcess): void {
    switch (line.event) {
      case 'loading':
        this.#apply({ type: 'loading', model: line.model, pid: line.pid });
        break;
      case 'ready':
        this.#loadingCrashes = 0;
        this.#fallback = undefined;
        this.#connection = connectRuntime({ ...this.#options, model: line, socketPath, process });
        this.#apply({ type: 'ready', model: line });
        break;
      case 'memory':
        this.#apply({ type: 'memory', memoryBytes: line.memory_bytes });
        break;
      case 'fatal':
        if (this.#fallback === undefined) this.#apply({ type: 'fatal', failure: line });
        else this.#rollBack(this.#fallback, line);
        break;
      default:
        line satisfies never;
    }
  }

  #exited(reason: string): void {
    const now = performance.now();
    const { phase } = this.#state;
    if (phase !== 'stopping' && phase !== 'unloading') {
      this.#crashes = [...this.#crashes.filter((at) => now - at < CRASH_WINDOW_MS), now];
    }
    this.#loadingCrashes = phase === 'ready' ? 0 : this.#loadingCrashes + 1;
    const [crashes, loadingCrashes] = [this.#crashes.length, this.#loadingCrashes];
    const event = { type: 'exit', reason, crashes, loadingCrashes } as const;
    const outcome = next(this.#state, event);
    if (outcome.phase === 'failed' && this.#fallback !== undefined) {
      this.#rollBack(this.#fallback, outcome.failure);
    }
    this.#apply(event);
  }

  /** Those who wait go on waiting: for the model that was served before. */
  #rollBack(modelPath: string, failure: Failure): void {
    this.#options.log.error({ ...failure, modelPath }, 'the model before it is served again');
    this.#options.modelPath = modelPath;
    this.#fallback = undefined;
    this.#apply({ type: 'unload' });
    this.#options.onRollback?.(modelPath, failure);
    void this.#life.then(this.#startUnloaded);
  }
}
