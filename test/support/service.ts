import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import pino, { type Logger } from 'pino';
import { Agent, request } from 'undici';
import type { RuntimeConnection } from '../../server/runtime/connection.ts';
import { createRuntimeCommand } from '../../server/runtime/process.ts';
import { Service, type ServiceOptions } from '../../server/service.ts';

import { Settings } from '../../server/settings.ts';
import { type StubProcess, StubRuntimes } from './stub-runtimes.ts';

export const resources = new URL('../../resources/', import.meta.url);
export const demoModel = fileURLToPath(new URL('models/demo', resources));

export interface RunningService {
  url: string;
  service: Service;
  /** The service's current runtime; tests query it for mlx_vlm's own metrics. */
  runtime: () => Promise<RuntimeConnection>;
  /** Stops it immediately. */
  stop: () => Promise<void>;
}

/** Starts the service with the real runtime and the demo model, on a free port, ready to answer. */
export async function startService(
  overrides: Partial<Settings> = {},
  log: Logger = pino({ level: 'silent' }),
  more: Partial<ServiceOptions> = {},
): Promise<RunningService> {
  const settings = Settings.parse({ modelPath: demoModel, port: 0, ...overrides });
  const command = createRuntimeCommand(resources);
  const service = new Service({ settings, command, log, ...more });
  const stop = () => service.stop();
  const runtime = () => service.runtime.ensureReady(AbortSignal.timeout(120_000));
  try {
    const port = await service.start();
    await runtime();
    return { url: `http://127.0.0.1:${port}`, service, runtime, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** mlx_vlm's own metrics (`GET /metrics` of `mlx_vlm/server/app.py`). */
export async function runtimeMetrics({ socketPath }: RuntimeConnection): Promise<unknown> {
  const dispatcher = new Agent({ connect: { socketPath } });
  try {
    const { body } = await request('http://runtime/metrics', { dispatcher });
    return await body.json();
  } finally {
    await dispatcher.close();
  }
}

/** Changes the settings of a running service: these, and the defaults of a test for all others. */
export function applySettings(
  { service }: Pick<RunningService, 'service'>,
  overrides: Partial<Settings> = {},
): ReturnType<Service['apply']> {
  const base = { modelPath: demoModel, port: 0, logLevel: 'silent' };
  return service.apply(Settings.parse({ ...base, ...overrides }));
}

/** Resolves when `condition` holds, checked after every change of the service's state. */
export async function until(
  { service }: Pick<RunningService, 'service'>,
  condition: () => boolean,
  timeoutMs = 60_000,
): Promise<void> {
  const signal = AbortSignal.timeout(timeoutMs);
  const changes = new EventTarget();
  const notify = () => changes.dispatchEvent(new Event('change'));
  const parts = [service.queue, service.runtime, service.activity];
  const unsubscribes = parts.map((part) => part.onChange(notify));
  try {
    while (!condition()) await once(changes, 'change', { signal });
  } finally {
    for (const unsubscribe of unsubscribes) unsubscribe();
  }
}

export interface StubService {
  url: string;
  service: Service;
  stubs: StubRuntimes;
  settings: Settings;
}

/** Starts the service with stub runtimes for model A, without waiting for one to be ready. */
export async function startStubService(
  t: TestContext,
  overrides: Partial<Settings> = {},
  onStart?: (stub: StubProcess, stubs: StubRuntimes) => void,
  log: Logger = pino({ level: 'silent' }),
): Promise<StubService> {
  const stubs = await StubRuntimes.create(onStart);
  const settings = Settings.parse({
    ...{ modelPath: 'A', port: 0, allowTextOnly: true, logLevel: log.level },
    ...overrides,
  });
  const service = new Service({ settings, command: stubs.command, log });
  t.after(async () => {
    await service.stop();
    await stubs[Symbol.asyncDispose]();
  });
  return { url: `http://127.0.0.1:${await service.start()}`, service, stubs, settings };
}
