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
import { type QueueLimits, RequestQueue } from './queue/request-queue.ts';
import { RuntimeFailedError } from './runtime/errors.ts';
import type { launchRuntime, RuntimeCommand } from './runtime/process.ts';
import type { Failure } from './runtime/state.ts';
import { type RuntimeLimits, RuntimeSupervisor } from './runtime/supervisor.ts';
import type { Settings } from './settings.ts';

/** How long slow clients have, in a drain, to take the rest of their answers. */
const LAST_ANSWERS_MS = 30_000;
/** How long a client has to take the answer that its request was cancelled. */
const FAREWELL_MS = 500;

export interface ServiceOptions {
  settings: Settings;
  command: RuntimeCommand;
  log: Logger;
  /** That of a service that was stopped, so that its history goes on. */
  activity?: Activity;
  /** Told when another model could not be loaded, and the one before it serves again. */
  onRollback?: (modelPath: string, failure: Failure) => void;
  /** Starts the process that serves a model: a seam for tests. */
  launch?: typeof launchRuntime;
}

/** When changed settings hold: at once, on a new address, or once the model has been loaded. */
export type Applied = 'now' | 'server_restarted' | 'model_reloading';

export type Service = ReturnType<typeof createService>;

/** The composition root: builds the parts from the settings and connects them. */
export function createService({
  settings,
  command,
  log,
  activity = new Activity(),
  onRollback,
  launch,
}: ServiceOptions) {
  const clock = new AwakeClock();
  const queue = new RequestQueue(toQueueLimits(settings), clock.now);
  const runtimeLog = log.child({ part: 'runtime' });
  const runtime = new RuntimeSupervisor({
    command,
    modelPath: settings.modelPath,
    ...toRuntimeLimits(settings),
    log: runtimeLog,
    now: clock.now,
    ...(launch === undefined ? {} : { launch }),
    onRollback: (modelPath, failure) => {
      use({ ...current, modelPath });
      onRollback?.(modelPath, failure);
    },
  });
  const images = new ImageLoader(toImageRules(settings));
  const memory = new ByteBudget(toRequestMemoryBytes(settings));
  const responses = new ResponseStore(settings.responseStoreMegabytes * 1_000_000);
  const metrics = new Metrics({ queue, runtime, activity });
  const parts = { queue, runtime, images, memory, responses, activity, metrics, log };
  const server = new HttpServer(createApp({ ...parts, settings }).callback());
  const memorySaver = new MemorySaver(activity, runtime, toMemoryLimits(settings), log);
  let [current, address] = [settings, { host: settings.host, port: settings.port }];

  /** Has every part go by these settings, but for the address and the model. */
  const use = (settings: Settings) => {
    current = settings;
    queue.setLimits(toQueueLimits(settings));
    images.setRules(toImageRules(settings));
    memory.setMaxBytes(toRequestMemoryBytes(settings));
    responses.setMaxBytes(settings.responseStoreMegabytes * 1_000_000);
    runtime.setLimits(toRuntimeLimits(settings));
    memorySaver.setLimits(toMemoryLimits(settings));
    for (const each of [log, runtimeLog]) each.level = settings.logLevel;
    server.setHandler(createApp({ ...parts, settings }).callback());
  };

  /**
   * Holds the queue while the runtime starts or drains, or a check has exclusive use of it. Once the
   * runtime has failed, every job runs and fails with the reason.
   */
  const holdOrRelease = () => {
    const { phase, context } = runtime.state;
    const isSettled = phase === 'ready' || phase === 'failed' || phase === 'unloaded';
    if (isSettled && context.exclusive === 0) queue.resume();
    else queue.pause();
  };
  runtime.onChange(holdOrRelease);
  holdOrRelease();

  const change = async (settings: Settings): Promise<{ applied: Applied; port: number }> => {
    const { host, port } = settings;
    const moves = host !== current.host || port !== current.port;
    if (moves) address = { host, port: await server.move({ host, port }, address) };
    const reloads = settings.modelPath !== current.modelPath;
    use(settings);
    if (reloads) void runtime.load(settings.modelPath);
    const applied = reloads ? 'model_reloading' : moves ? 'server_restarted' : 'now';
    return { applied, port: address.port };
  };
  let lastChange: Promise<unknown> = Promise.resolve();

  const service = {
    queue,
    memory,
    runtime,
    activity,
    /** Is told when the machine goes to sleep and has woken. */
    clock,
    /** Listens and starts the runtime. Resolves with the port once it listens. */
    async start(): Promise<number> {
      address = { ...address, port: await server.listen(address) };
      runtime.start();
      return address.port;
    },
    /**
     * Changes the settings of a service that was started: nothing that waits or runs is lost. Changes
     * are made one after the other.
     * @throws ListenError, and then nothing has changed
     */
    apply(settings: Settings): ReturnType<typeof change> {
      const result = lastChange.then(() => change(settings));
      lastChange = result.catch(() => {});
      return result;
    },
    /**
     * Checks the served model. Running requests complete first; new ones wait.
     * @throws as checkModel does, or RuntimeFailedError
     */
    async check({ signal, onProgress }: Omit<CheckOptions, 'model'>): Promise<CheckResult> {
      const letSave = memorySaver.suspend();
      try {
        return await runtime.runAlone(
          (connection, signal) =>
            checkModel(connection, { signal, onProgress, model: modelIdOf(current.modelPath) }),
          { signal },
        );
      } finally {
        letSave();
      }
    },
    /** Takes no more, lets requests end within the drain timeout, then stops the runtime. */
    async drain(): Promise<void> {
      const answered = server.drain();
      const ended = Promise.all([queue.drain(), activity.idle()]);
      const timeoutMs = current.drainTimeoutSeconds * 1000;
      const expired = new AbortController();
      const isLate = await Promise.race([
        ended.then(() => false),
        setTimeout(timeoutMs, true, { ref: false, signal: expired.signal }),
      ]).finally(() => expired.abort());
      if (isLate) return service.stop();
      await Promise.race([answered, setTimeout(LAST_ANSWERS_MS, undefined, { ref: false })]);
      await service.stop();
    },
    /** Stops now: what runs and waits is cancelled, and told so if its client still listens. */
    async stop(): Promise<void> {
      const { state } = runtime;
      activity.cancelAll(
        state.phase === 'failed' ? new RuntimeFailedError(state.failure) : undefined,
      );
      memorySaver.close();
      metrics.close();
      const slotsFree = queue.close();
      await Promise.race([server.drain(), setTimeout(FAREWELL_MS)]);
      server.close();
      await Promise.all([runtime.shutdown(), images.close()]);
      await slotsFree;
    },
  };
  return service;
}

// Converts the settings into each part's own limits and units.

export function toQueueLimits(settings: Settings): QueueLimits {
  return {
    maxConcurrency: settings.maxConcurrency,
    maxQueueSize: settings.queueSize,
    timeoutMs: settings.queueTimeoutSeconds * 1000,
    policy: settings.queuePolicy,
  };
}

export function toRuntimeLimits(settings: Settings): RuntimeLimits {
  return {
    hangTimeoutMs: settings.hangTimeoutSeconds * 1000,
    loadingTimeoutMs: settings.loadingTimeoutSeconds * 1000,
    drainTimeoutMs: settings.drainTimeoutSeconds * 1000,
  };
}

export function toMemoryLimits({
  idleUnloadMinutes,
  memoryCeilingGigabytes,
}: Settings): MemoryLimits {
  const ceiling = memoryCeilingGigabytes;
  return {
    idleMinutes: idleUnloadMinutes,
    ceilingBytes: ceiling === undefined ? undefined : ceiling * 1e9,
  };
}

/** Large enough for one body of the largest size, after the part reserved for ordinary bodies. */
export function toRequestMemoryBytes(settings: Settings): number {
  const { requestMemoryMegabytes, maxBodyMegabytes } = settings;
  return Math.max(requestMemoryMegabytes, maxBodyMegabytes * 2) * 1_000_000;
}

export function toImageRules(settings: Settings): Partial<ImageRules> {
  return {
    allowPrivateUrls: settings.allowPrivateImageUrls,
    contact: settings.contact,
    maxBytes: settings.maxImageMegabytes * 1_000_000,
    maxPixels: settings.maxImagePixels,
  };
}
