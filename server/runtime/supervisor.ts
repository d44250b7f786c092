import type { Logger } from 'pino';
import { startTimer } from '../awake-clock.ts';
import { RuntimeConnection } from './connection.ts';
import {
  GenerationFailedError,
  RuntimeDiedError,
  RuntimeDrainedError,
  RuntimeFailedError,
  RuntimeStoppedError,
  RuntimeWaitError,
} from './errors.ts';
import { launchRuntime, type RuntimeCommand, type RuntimeProcess } from './process.ts';
import type { LauncherLine, ReadyLine } from './protocol.ts';
import {
  dueAt,
  type Failure,
  initialState,
  next,
  type PhaseLimits,
  type RuntimeEvent,
  type RuntimeState,
} from './state.ts';

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
  onRollback?: (modelPath: string, failure: Failure) => void;
  /** Starts the process that serves a model: a seam for tests. */
  launch?: typeof launchRuntime;
}

export interface WorkOptions {
  /** Fires when the work is no longer wanted. */
  signal: AbortSignal;
  /** Whether work that failed with this error may be retried: its client has seen nothing yet. */
  mayRetry?: (error: Error) => boolean;
  /** How long each attempt may wait for a ready runtime; unlimited if omitted. */
  maxWaitMs?: number;
}

/** Work that needs a ready runtime. It must end soon after the signal fires. */
export type RuntimeWork<T> = (connection: RuntimeConnection, signal: AbortSignal) => Promise<T>;

interface Waiter {
  /** Settles the wait with the connection, unless the waiter has to keep waiting. */
  offer(connection: RuntimeConnection): void;
  refuse(reason: Error): void;
}

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
  readonly #waiters = new Set<Waiter>();
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
   * Switches to another model. Running work may complete within the drain timeout; waiting work stays
   * in line. If the model cannot be loaded, the one that was ready last is served again. Resolves once
   * the previous model's process has exited.
   */
  async load(modelPath: string): Promise<void> {
    this.#apply({ type: 'load', model: modelPath });
    await this.#settled();
  }

  /** Drains and restarts a ready runtime; waiting work stays in line. */
  async restart(): Promise<void> {
    this.#apply({ type: 'restart' });
    await this.#settled();
  }

  /**
   * Resolves with a ready runtime, after any start or restart in progress. It may be gone a moment
   * later, so use `run` for work.
   * @throws RuntimeFailedError, RuntimeStoppedError, or the signal's reason
   */
  ensureReady(signal: AbortSignal): Promise<RuntimeConnection> {
    return this.#wait((connection) => connection, { signal });
  }

  /**
   * Runs the work on a ready runtime. Retries it once if the runtime died, or if the batch that it
   * shared with other requests failed. Never twice: a request that crashes the runtime must not keep
   * it in a crash loop. Work interrupted by a model change is run again on the next model, however
   * often that happens.
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
          if (failures > 1 || !isWorthARetry(error)) throw error;
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

  /**
   * Resolves with what `take` returns for a ready runtime; `take` returns undefined to keep waiting.
   * It is called before the state can change again, so a lease taken there is on a ready runtime.
   */
  #wait<T>(
    take: (connection: RuntimeConnection) => T | undefined,
    { signal, maxWaitMs }: Pick<WorkOptions, 'signal' | 'maxWaitMs'>,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const onAbort = () => waiter.refuse(signal.reason);
      const stopTimer =
        maxWaitMs === undefined
          ? () => {}
          : startTimer(maxWaitMs, this.#now, () => waiter.refuse(new RuntimeWaitError(maxWaitMs)));
      const leave = () => {
        this.#waiters.delete(waiter);
        signal.removeEventListener('abort', onAbort);
        stopTimer();
      };
      const waiter: Waiter = {
        offer: (connection) => {
          const taken = take(connection);
          if (taken === undefined) return;
          leave();
          resolve(taken);
        },
        refuse: (reason) => {
          leave();
          reject(reason);
        },
      };
      this.#waiters.add(waiter);
      signal.addEventListener('abort', onAbort);
      if (signal.aborted) onAbort();
      else this.#apply({ type: 'needed' });
    });
  }

  /** Resolves once no process is draining or stopping. */
  async #settled(): Promise<void> {
    const isSettled = ({ phase }: RuntimeState) => phase !== 'draining' && phase !== 'stopping';
    if (!isSettled(this.#state)) {
      await new Promise<void>((resolve) => {
        const forget = this.onChange((state) => {
          if (!isSettled(state)) return;
          forget();
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
    const onLine = (line: LauncherLine) => this.#apply(this.#toEvent(line));
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

  #toEvent(line: LauncherLine): RuntimeEvent {
    switch (line.event) {
      case 'loading':
        return { type: 'loading', model: line.model, pid: line.pid };
      case 'description': {
        const { event: _, ...description } = line;
        return { type: 'description', description };
      }
      case 'weights':
        return { type: 'weights', bytes: line.weights_bytes };
      case 'ready':
        return { type: 'ready', model: line, connection: this.#connect(line) };
      case 'memory':
        return { type: 'memory', bytes: line.memory_bytes };
      case 'fatal': {
        const { event: _, ...failure } = line;
        return { type: 'fatal', failure };
      }
      default:
        return line satisfies never;
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
    for (const waiter of [...this.#waiters]) {
      if (state.phase === 'ready') waiter.offer(state.connection);
      else if (state.phase === 'failed') waiter.refuse(new RuntimeFailedError(state.failure));
      else if (isStopped(state)) waiter.refuse(new RuntimeStoppedError());
    }
    if (state.phase === 'unloaded' && this.#waiters.size > 0) this.#apply({ type: 'needed' });
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

function isStopped(state: RuntimeState): boolean {
  return state.phase === 'stopped' || (state.phase === 'stopping' && state.after.to === 'stopped');
}

function isWorthARetry(error: Error): boolean {
  return (
    error instanceof RuntimeDiedError || (error instanceof GenerationFailedError && error.shared)
  );
}

function levelOf({ phase }: RuntimeState): 'info' | 'warn' | 'error' {
  if (phase === 'failed') return 'error';
  return phase === 'crashed' ? 'warn' : 'info';
}

function toLogFields(state: RuntimeState): object {
  switch (state.phase) {
    case 'loading':
      return { model: state.model, runtimePid: state.pid };
    case 'ready':
      return { loadSeconds: state.model.load_seconds, memoryBytes: state.memoryBytes };
    case 'crashed':
      return { reason: state.reason, retryInMs: state.retryInMs };
    case 'failed':
      return state.failure;
    default:
      return {};
  }
}
