import type { ImageRules } from './images/image-loader.ts';
import type { MemoryLimits } from './memory-saver.ts';
import type { QueueLimits } from './queue/queue-limits.ts';
import type { RuntimeLimits } from './runtime/runtime-supervisor.ts';
import type { Settings } from './settings.ts';

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
