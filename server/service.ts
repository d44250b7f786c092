import { setTimeout } from 'node:timers/promises';
import type { Logger } from 'pino';
import { Activity } from './activity.ts';
import { createApp } from './http/app.ts';
import { HttpServer } from './http/http-server.ts';
import { ImageLoader } from './images/image-loader.ts';
import { ResponseStore } from './openai/response-store.ts';
import { RequestQueue } from './queue/request-queue.ts';
import type { RuntimeCommand } from './runtime/runtime-process.ts';
import { RuntimeSupervisor } from './runtime/runtime-supervisor.ts';
import type { Settings } from './settings.ts';

/** How long slow clients have, in a drain, to take the rest of their answers. */
const LAST_ANSWERS_MS = 30_000;
/** How long a client has to take the answer that its request was cancelled. */
const FAREWELL_MS = 500;

export interface ServiceOptions {
  settings: Settings;
  command: RuntimeCommand;
  log: Logger;
}

export type Service = ReturnType<typeof createService>;

/** The composition root: builds the parts from the settings and connects them. */
export function createService({ settings, command, log }: ServiceOptions) {
  const queue = new RequestQueue({
    maxConcurrency: settings.maxConcurrency,
    maxQueueSize: settings.queueSize,
    timeoutMs: settings.queueTimeoutSeconds * 1000,
    policy: settings.queuePolicy,
  });
  const runtime = new RuntimeSupervisor({
    command,
    modelPath: settings.modelPath,
    hangTimeoutMs: settings.hangTimeoutSeconds * 1000,
    log: log.child({ part: 'runtime' }),
  });
  const images = new ImageLoader({
    allowPrivateUrls: settings.allowPrivateImageUrls,
    maxBytes: settings.maxImageMegabytes * 1_000_000,
    maxPixels: settings.maxImagePixels,
  });
  const responses = new ResponseStore(settings.responseStoreMegabytes * 1_000_000);
  const activity = new Activity();
  const app = createApp({ settings, queue, runtime, images, responses, activity, log });
  const server = new HttpServer(app.callback());

  // While the runtime comes up the line is held; once it has failed, every waiter is told so.
  queue.pause();
  runtime.onChange(({ phase }) => {
    if (phase === 'ready' || phase === 'failed') queue.resume();
    else queue.pause();
  });

  const service = {
    queue,
    runtime,
    activity,
    /** Listens and starts the runtime. Resolves with the port once it listens. */
    async start(): Promise<number> {
      const port = await server.listen(settings);
      runtime.start();
      return port;
    },
    /** Takes no more, lets what it has come to its end, then stops the runtime. */
    async drain(): Promise<void> {
      const answered = server.drain();
      await Promise.all([queue.drain(), activity.idle()]);
      await Promise.race([answered, setTimeout(LAST_ANSWERS_MS, undefined, { ref: false })]);
      await service.stop();
    },
    /** Stops now: what runs and waits is cancelled, and told so if its client still listens. */
    async stop(): Promise<void> {
      activity.cancelAll();
      const slotsFree = queue.close();
      await Promise.race([server.drain(), setTimeout(FAREWELL_MS)]);
      server.close();
      await Promise.all([runtime.shutdown(), images.close()]);
      await slotsFree;
    },
  };
  return service;
}
