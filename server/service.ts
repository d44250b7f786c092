import { setTimeout } from 'node:timers/promises';
import type { Logger } from 'pino';
import { Activity } from './activity.ts';
import { ResponseStore } from './apis/responses/store.ts';
import { AwakeClock } from './awake-clock.ts';
import { ByteBudget } from './byte-budget.ts';
import { createApp } from './http/app.ts';
import { modelIdOf } from './http/models.ts';
import { HttpServer } from './http/server.ts';
import { ImageLoader, type ImageRules } from './images/loader.ts';
import { type MemoryLimits, MemorySaver } from './memory-saver.ts';
import { Metrics } from './metrics.ts';
import { type CheckOptions, checkModel } from './models/check.ts';
import type { CheckResult } from './models/views.ts';
import type { Problem } from './problem.ts';
import { type QueueLimits, RequestQueue } from './queue/request-queue.ts';
import { RuntimeFailedError } from './runtime/errors.ts';
import type { launchRuntime, RuntimeCommand } from './runtime/process.ts';
import { type RuntimeLimits, RuntimeSupervisor } from './runtime/supervisor.ts';
import type { Settings } from './settings.ts';

/** After a drain, how long slow clients have to receive the rest of their answers. */
const LAST_ANSWERS_MS = 30_000;
/** After a stop, how long clients have to receive the error for their cancelled requests. */
const LAST_ERRORS_MS = 500;

export interface ServiceOptions {
  settings: Settings;
  command: RuntimeCommand;
  log: Logger;
  /** Of an earlier service, to continue its history. */
  activity?: Activity;
  /** Called when a new model could not be loaded and the previous one is served again. */
  onRollback?: (modelPath: string, failure: Problem) => void;
  /** Starts the process that serves a model: a seam for tests. */
  launch?: typeof launchRuntime;
}

/** When changed settings take effect: at once, on a new address, or once the model has loaded. */
export type Applied = 'now' | 'server_restarted' | 'model_reloading';

/** What `apply` did, and the port that the server now listens on. */
interface Change {
  applied: Applied;
  port: number;
}

/** Builds the parts from the settings, connects them, and starts, changes and stops them together. */
export class Service {
  /** The host must report to it when the machine goes to sleep and wakes up. */
  readonly clock = new AwakeClock();
  readonly queue: RequestQueue;
  readonly runtime: RuntimeSupervisor;
  readonly activity: Activity;
  readonly memory: ByteBudget;
  readonly #images: ImageLoader;
  readonly #responses: ResponseStore;
  readonly #metrics: Metrics;
  readonly #memorySaver: MemorySaver;
  readonly #server: HttpServer;
  readonly #log: Logger;
  readonly #runtimeLog: Logger;
  #settings: Settings;
  #port: number;
  #lastChange: Promise<unknown> = Promise.resolve();

  constructor(options: ServiceOptions) {
    const { settings, log, activity = new Activity() } = options;
    this.#settings = settings;
    this.#port = settings.port;
    this.#log = log;
    this.#runtimeLog = log.child({ part: 'runtime' });
    this.activity = activity;
    this.queue = new RequestQueue(toQueueLimits(settings), this.clock.now);
    this.runtime = this.#createRuntime(options);
    this.memory = new ByteBudget(toRequestMemoryBytes(settings));
    this.#images = new ImageLoader(toImageRules(settings));
    this.#responses = new ResponseStore(toResponseStoreBytes(settings));
    this.#metrics = new Metrics(this);
    this.#memorySaver = new MemorySaver(activity, this.runtime, toMemoryLimits(settings), log);
    this.#server = new HttpServer(this.#createHandler(settings));
    pauseUnlessReady(this.queue, this.runtime);
  }

  /** Starts listening, then the runtime. Resolves with the port. */
  async start(): Promise<number> {
    const { host, port } = this.#settings;
    this.#port = await this.#server.listen({ host, port });
    this.runtime.start();
    return this.#port;
  }

  /**
   * Changes the settings of a service that has started, without losing any request. Concurrent changes
   * are made one after another.
   * @throws ListenError; nothing has changed then
   */
  apply(settings: Settings): Promise<Change> {
    const change = this.#lastChange.then(() => this.#change(settings));
    this.#lastChange = change.catch(() => {});
    return change;
  }

  /**
   * Checks the model that is being served. Running requests complete first; new ones wait.
   * @throws as `checkModel` does, or RuntimeFailedError
   */
  async check({ signal, onProgress }: Omit<CheckOptions, 'model'>): Promise<CheckResult> {
    const resumeSaving = this.#memorySaver.suspend();
    const model = modelIdOf(this.#settings.modelPath);
    try {
      return await this.runtime.runAlone(
        (connection, signal) => checkModel(connection, { signal, onProgress, model }),
        { signal },
      );
    } finally {
      resumeSaving();
    }
  }

  /** Accepts no more requests, lets the rest end within the drain timeout, then stops. */
  async drain(): Promise<void> {
    const answersSent = this.#server.drain();
    const requestsEnded = Promise.all([this.queue.drain(), this.activity.idle()]);
    const ended = await endsWithin(requestsEnded, this.#settings.drainTimeoutSeconds * 1000);
    if (ended) await endsWithin(answersSent, LAST_ANSWERS_MS);
    await this.stop();
  }

  /** Stops immediately: cancels all requests and reports that to their clients. */
  async stop(): Promise<void> {
    const { state } = this.runtime;
    this.activity.cancelAll(
      state.phase === 'failed' ? new RuntimeFailedError(state.failure) : undefined,
    );
    this.#memorySaver.close();
    this.#metrics.close();
    const slotsFree = this.queue.close();
    await endsWithin(this.#server.drain(), LAST_ERRORS_MS);
    this.#server.close();
    await Promise.all([this.runtime.shutdown(), this.#images.close()]);
    await slotsFree;
  }

  #createRuntime({ settings, command, launch, onRollback }: ServiceOptions): RuntimeSupervisor {
    return new RuntimeSupervisor({
      ...{ command, log: this.#runtimeLog, now: this.clock.now, modelPath: settings.modelPath },
      ...toRuntimeLimits(settings),
      ...(launch !== undefined && { launch }),
      onRollback: (modelPath, failure) => {
        this.#use({ ...this.#settings, modelPath });
        onRollback?.(modelPath, failure);
      },
    });
  }

  #createHandler(settings: Settings) {
    const app = createApp({
      settings,
      queue: this.queue,
      runtime: this.runtime,
      images: this.#images,
      memory: this.memory,
      responses: this.#responses,
      activity: this.activity,
      metrics: this.#metrics,
      log: this.#log,
    });
    return app.callback();
  }

  async #change(settings: Settings): Promise<Change> {
    const { host, port } = settings;
    const before = this.#settings;
    const moves = host !== before.host || port !== before.port;
    const reloads = settings.modelPath !== before.modelPath;
    if (moves) {
      const address = { host: before.host, port: this.#port };
      this.#port = await this.#server.move({ host, port }, address);
    }
    this.#use(settings);
    if (reloads) void this.runtime.load(settings.modelPath);
    const applied = reloads ? 'model_reloading' : moves ? 'server_restarted' : 'now';
    return { applied, port: this.#port };
  }

  /** Passes the settings to every part, except for the address and the model. */
  #use(settings: Settings): void {
    this.#settings = settings;
    this.queue.setLimits(toQueueLimits(settings));
    this.runtime.setLimits(toRuntimeLimits(settings));
    this.memory.setMaxBytes(toRequestMemoryBytes(settings));
    this.#images.setRules(toImageRules(settings));
    this.#responses.setMaxBytes(toResponseStoreBytes(settings));
    this.#memorySaver.setLimits(toMemoryLimits(settings));
    for (const log of [this.#log, this.#runtimeLog]) log.level = settings.logLevel;
    this.#server.setHandler(this.#createHandler(settings));
  }
}

/**
 * Pauses the queue while the runtime is starting or draining, or a check has exclusive use of it. When
 * the runtime has failed, jobs run, so that they fail with the reason.
 */
function pauseUnlessReady(queue: RequestQueue, runtime: RuntimeSupervisor): void {
  const update = () => {
    const { phase, context } = runtime.state;
    const isSettled = phase === 'ready' || phase === 'failed' || phase === 'unloaded';
    if (isSettled && context.exclusive === 0) queue.resume();
    else queue.pause();
  };
  runtime.onChange(update);
  update();
}

/** Resolves with whether the promise resolved within the time. Leaves no timer behind. */
async function endsWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const expired = new AbortController();
  const timeout = setTimeout(ms, false, { signal: expired.signal });
  return Promise.race([promise.then(() => true), timeout]).finally(() => expired.abort());
}

// The settings in the parts' own terms and units.

function toQueueLimits(settings: Settings): QueueLimits {
  return {
    maxConcurrency: settings.maxConcurrency,
    maxQueueSize: settings.queueSize,
    timeoutMs: settings.queueTimeoutSeconds * 1000,
    policy: settings.queuePolicy,
  };
}

function toRuntimeLimits(settings: Settings): RuntimeLimits {
  return {
    hangTimeoutMs: settings.hangTimeoutSeconds * 1000,
    loadingTimeoutMs: settings.loadingTimeoutSeconds * 1000,
    drainTimeoutMs: settings.drainTimeoutSeconds * 1000,
  };
}

function toMemoryLimits({ idleUnloadMinutes, memoryCeilingGigabytes }: Settings): MemoryLimits {
  const ceiling = memoryCeilingGigabytes;
  return {
    idleMinutes: idleUnloadMinutes,
    ceilingBytes: ceiling === undefined ? undefined : ceiling * 1e9,
  };
}

/** At least enough for one body of the maximum size, plus the part reserved for ordinary bodies. */
function toRequestMemoryBytes(settings: Settings): number {
  const { requestMemoryMegabytes, maxBodyMegabytes } = settings;
  return Math.max(requestMemoryMegabytes, maxBodyMegabytes * 2) * 1_000_000;
}

function toImageRules(settings: Settings): Partial<ImageRules> {
  return {
    allowPrivateUrls: settings.allowPrivateImageUrls,
    contact: settings.contact,
    maxBytes: settings.maxImageMegabytes * 1_000_000,
    maxPixels: settings.maxImagePixels,
  };
}

function toResponseStoreBytes(settings: Settings): number {
  return settings.responseStoreMegabytes * 1_000_000;
}
