import type { Logger } from 'pino';
import { startTimer } from '../awake-clock.ts';
import type { Problem } from '../problem.ts';
import { RuntimeConnection } from './connection.ts';
import {
  isRetryable,
  RuntimeDiedError,
  RuntimeDrainedError,
  RuntimeFailedError,
  RuntimeStoppedError,
} from './errors.ts';
import { launchRuntime, type RuntimeCommand, type RuntimeProcess } from './process.ts';
import type { LauncherLine, ReadyLine } from './protocol.ts';
import {
  dueAt,
  initialState,
  isStopped,
  levelOf,
  type PhaseLimits,
  type RuntimeEvent,
  type RuntimeState,
  toEvent,
  toLogFields,
} from './state.ts';
import { next } from './transitions.ts';
import { Waiters, type WaitOptions } from './waiters.ts';

/** Time limits in ms. All of them may change at any time. */
export interface RuntimeLimits extends PhaseLimits {
  readonly hangTimeoutMs: number;
}

export interface RuntimeSupervisorOptions extends Partial<RuntimeLimits> {
  command: RuntimeCommand;
  modelPath: string;
  log: Logger;
  /** Milliseconds on a clock that may pause while the machine sleeps. */
  now?: () => number;
  /** Called with the model that is served again because the new one could not be loaded. */
  onRollback?: (modelPath: string, failure: Problem) => void;
  /** Starts the process that serves a model: a seam for tests. */
  launch?: typeof launchRuntime;
}

/** `maxWaitMs` limits the wait of each attempt. */
export interface WorkOptions extends WaitOptions {
  /** Whether work that failed with this error may be retried: its client has seen nothing yet. */
  mayRetry?: (error: Error) => boolean;
}

/** Work that needs a ready runtime. It must end soon after the signal fires. */
export type RuntimeWork<T> = (connection: RuntimeConnection, signal: AbortSignal) => Promise<T>;

const DEFAULT_LIMITS: RuntimeLimits = {
  hangTimeoutMs: 120_000,
  loadingTimeoutMs: 120_000,
  drainTimeoutMs: 120_000,
};

/**
 * Keeps one runtime alive: starts it, watches it, and restarts it after a crash or a hang. Callers
 * say what they want (`run`, `ensureReady`, `load`); they never check the state first.
 */
export class RuntimeSupervisor {
  readonly #options: RuntimeSupervisorOptions;
  readonly #now: () => number;
  readonly #listeners = new Set<(state: RuntimeState) => void>();
  readonly #waiters: Waiters;
  readonly #events: RuntimeEvent[] = [];
  #isApplying = false;
  #limits: RuntimeLimits;
  #state: RuntimeState;
  /** Set from launch to exit. */
  #process: RuntimeProcess | undefined;
  /** Resolves once the last process has exited and its folder is removed. */
  #cleanedUp: Promise<void> = Promise.resolve();
  /** Cancels the timer of the current phase. */
  #stopTimer = () => {};

  constructor(options: RuntimeSupervisorOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#waiters = new Waiters(this.#now);
    this.#limits = pickLimits({ ...DEFAULT_LIMITS, ...options });
    this.#state = initialState(options.modelPath);
  }

  get state(): RuntimeState {
    return this.#state;
  }

  /** Calls the listener with each new state. Returns the unsubscribe. */
  onChange(listener: (state: RuntimeState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  setLimits(limits: Partial<RuntimeLimits>): void {
    this.#limits = { ...this.#limits, ...limits };
    this.#startTimer();
  }

  /**
   * Starts the runtime unless it is already running. Watch the state for the result.
   * @throws RuntimeStoppedError after a shutdown
   */
  start(): void {
    if (this.#state.context.isShutDown) throw new RuntimeStoppedError();
    this.#apply({ type: 'start' });
  }

  /** Stops the runtime and cancels a pending restart. Resolves once its process has exited. */
  async stop(): Promise<void> {
    this.#apply({ type: 'stop' });
    await this.#settled();
  }

  /** Stops for good. */
  async shutdown(): Promise<void> {
    this.#apply({ type: 'shutdown' });
    await this.#settled();
  }

  /** Drains and stops the runtime. The next request starts it again. */
  async unload(): Promise<void> {
    this.#apply({ type: 'unload' });
    await this.#settled();
  }

  /**
   * Switches to another model. Running work may complete within the drain timeout; waiting work waits
   * for the new model. If it cannot be loaded, the last model that was ready is served again. Resolves
   * once the previous model's process has exited.
   */
  async load(modelPath: string): Promise<void> {
    this.#apply({ type: 'load', model: modelPath });
    await this.#settled();
  }

  /** Drains and restarts a ready runtime. Waiting work waits for the restart. */
  async restart(): Promise<void> {
    this.#apply({ type: 'restart' });
    await this.#settled();
  }

  /**
   * Resolves with a ready runtime, after any start or restart in progress. It may stop being ready at
   * any time, so use `run` for work.
   * @throws RuntimeFailedError, RuntimeStoppedError, or the signal's reason
   */
  ensureReady(signal: AbortSignal): Promise<RuntimeConnection> {
    return this.#wait((connection) => connection, { signal });
  }

  /**
   * Runs the work on a ready runtime. Retries it once if the runtime died, or if the batch that it
   * shared with other requests failed. Never twice: a request that crashes the runtime must not keep
   * it in a crash loop. Work interrupted by a model change runs again on the next model, every time.
   * @throws what the work throws; RuntimeFailedError, RuntimeStoppedError or RuntimeWaitError when no
   *   runtime is available; RuntimeDrainedError when it was interrupted; the signal's reason
   */
  async run<T>(work: RuntimeWork<T>, options: WorkOptions): Promise<T> {
    const { signal, mayRetry = () => false } = options;
    for (let failures = 0; ; ) {
      const isFree = () => this.#state.context.exclusive === 0;
      const lease = await this.#wait((ready) => (isFree() ? ready.lease() : undefined), options);
      try {
        return await work(lease.connection, AbortSignal.any([signal, lease.signal]));
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof Error) || !mayRetry(error)) throw error;
        if (!(error instanceof RuntimeDrainedError)) {
          failures += 1;
          if (failures > 1 || !isRetryable(error)) throw error;
        }
        if (error instanceof RuntimeDiedError) await lease.connection.settled();
        signal.throwIfAborted();
      } finally {
        lease.release();
      }
    }
  }

  /**
   * Runs the work with exclusive use of the runtime: running work completes first, new work waits.
   * @throws as `run` does; the work is not retried
   */
  async runAlone<T>(work: RuntimeWork<T>, { signal }: { signal: AbortSignal }): Promise<T> {
    this.#apply({ type: 'hold' });
    try {
      const take = (ready: RuntimeConnection) => (ready.isIdle ? ready.lease() : undefined);
      const lease = await this.#wait(take, { signal });
      try {
        return await work(lease.connection, AbortSignal.any([signal, lease.signal]));
      } finally {
        lease.release();
      }
    } finally {
      this.#apply({ type: 'release' });
    }
  }

  /** Waits for a ready runtime; a lease taken in `take` is on a runtime that is still ready. */
  #wait<T>(
    take: (connection: RuntimeConnection) => T | undefined,
    options: WaitOptions,
  ): Promise<T> {
    const waiting = this.#waiters.wait(take, options);
    if (!options.signal.aborted) this.#apply({ type: 'needed' });
    return waiting;
  }

  /** Resolves once no process is draining or stopping. */
  async #settled(): Promise<void> {
    const isSettled = ({ phase }: RuntimeState) => phase !== 'draining' && phase !== 'stopping';
    if (!isSettled(this.#state)) {
      await new Promise<void>((resolve) => {
        const unsubscribe = this.onChange((state) => {
          if (!isSettled(state)) return;
          unsubscribe();
          resolve();
        });
      });
    }
    const { phase } = this.#state;
    if (phase === 'stopped' || phase === 'unloaded') await this.#cleanedUp;
  }

  /** Handles events one at a time, including those that handling them causes. */
  #apply(event: RuntimeEvent): void {
    this.#events.push(event);
    if (this.#isApplying) return;
    this.#isApplying = true;
    try {
      for (let each = this.#events.shift(); each !== undefined; each = this.#events.shift()) {
        this.#set(next(this.#state, each, this.#now()));
        this.#answerWaiters();
      }
    } finally {
      this.#isApplying = false;
    }
  }

  /** The only writer of the state. Performs the effects of entering a phase. */
  #set(state: RuntimeState): void {
    const before = this.#state;
    if (state === before) return;
    this.#state = state;
    this.#log(before);
    this.#startTimer();
    const { rollback, wanted } = state.context;
    if (rollback !== undefined && rollback !== before.context.rollback) {
      const { from, failure } = rollback;
      this.#options.log.error({ ...failure, model: from }, `serving ${wanted} again`);
      this.#options.onRollback?.(wanted, failure);
    }
    if (state.phase === 'starting' && this.#process === undefined) this.#launch();
    if (state.phase !== before.phase) this.#enter(before);
    for (const listener of [...this.#listeners]) listener(state);
  }

  #enter(before: RuntimeState): void {
    const state = this.#state;
    if (state.phase === 'draining' && state.connection.isIdle) {
      this.#apply({ type: 'idle', connection: state.connection });
    }
    if (state.phase !== 'stopping') return;
    if (state.kill) {
      this.#process?.kill(); // its work fails with RuntimeDiedError
      return;
    }
    this.#process?.stop();
    if (!('connection' in before)) return;
    const { to } = state.after;
    if (to === 'stopped') before.connection.cancelWork(new RuntimeStoppedError());
    if (to === 'starting' || to === 'unloaded')
      before.connection.cancelWork(new RuntimeDrainedError(this.#limits.drainTimeoutMs));
  }

  #startTimer(): void {
    this.#stopTimer();
    const due = dueAt(this.#state, this.#limits);
    if (due === undefined) return;
    this.#stopTimer = startTimer(due - this.#now(), this.#now, () => this.#apply({ type: 'due' }));
  }

  #launch(): void {
    const { command, log, launch = launchRuntime } = this.#options;
    const modelPath = this.#state.context.wanted;
    const onLine = (line: LauncherLine) => {
      if (line.event !== 'ready') this.#apply(toEvent(line));
      else this.#apply({ type: 'ready', model: line, connection: this.#connect(line) });
    };
    try {
      const process = launch({ command, modelPath, log, onLine });
      this.#process = process;
      this.#cleanedUp = process.cleanedUp;
      void process.exited.then((reason) => {
        this.#process = undefined;
        this.#apply({ type: 'exit', reason });
      });
    } catch (error) {
      log.error({ err: error }, 'the runtime could not be launched');
      const { message } = error as Error;
      const remedy = 'Set TMPDIR to a folder that exists, is writable and has free space.';
      const failure = { reason: 'launch_failed', message, remedy };
      this.#apply({ type: 'fatal', failure });
      this.#apply({ type: 'exit', reason: message });
    }
  }

  /** Does not connect until the connection is used. */
  #connect(model: ReadyLine): RuntimeConnection {
    const { socketPath = '', exited: died = new Promise<never>(() => {}) } = this.#process ?? {};
    const connection: RuntimeConnection = new RuntimeConnection({
      ...{ model, socketPath, died },
      now: this.#now,
      timeoutMs: () => this.#limits.hangTimeoutMs,
      onIdle: () => this.#apply({ type: 'idle', connection }),
      onHang: () => this.#apply({ type: 'hang', connection }),
    });
    return connection;
  }

  /** Settles the waiters that the current phase can answer. */
  #answerWaiters(): void {
    const state = this.#state;
    if (this.#waiters.isEmpty) return;
    if (state.phase === 'ready') this.#waiters.offer(state.connection);
    else if (state.phase === 'failed') this.#waiters.refuse(new RuntimeFailedError(state.failure));
    else if (state.phase === 'unloaded') this.#apply({ type: 'needed' });
    else if (isStopped(state)) this.#waiters.refuse(new RuntimeStoppedError());
  }

  #log(before: RuntimeState): void {
    const { log } = this.#options;
    const state = this.#state;
    const level = state.phase === before.phase ? 'debug' : levelOf(state);
    log[level](toLogFields(state), `runtime ${state.phase}`);
  }
}

function pickLimits(options: RuntimeLimits): RuntimeLimits {
  const { hangTimeoutMs, loadingTimeoutMs, drainTimeoutMs } = options;
  return { hangTimeoutMs, loadingTimeoutMs, drainTimeoutMs };
}
