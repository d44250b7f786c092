// Preloaded into the service (`node --import`): answers each message with the process's vitals, and
// resets the longest stall.

import { readdirSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const NS_PER_MS = 1e6;
const RESOLUTION_MS = 5;

export interface Vitals {
  /** The longest time that the event loop was blocked since the last message. */
  longestStallMs: number;
  rssBytes: number;
  /** Heap and external memory in use; exact after a collection. */
  heldBytes: number;
  /** The highest since the process started. */
  peakRssBytes: number;
  openFiles: number;
}

const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delay.enable();

process.on('message', ({ collect }: { collect: boolean }) => {
  if (collect) globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  const vitals: Vitals = {
    longestStallMs: Math.max(0, delay.max / NS_PER_MS - RESOLUTION_MS),
    rssBytes: process.memoryUsage.rss(),
    heldBytes: heapUsed + external,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
    openFiles: readdirSync('/dev/fd').length,
  };
  delay.reset();
  process.send?.(vitals);
});
process.channel?.unref();
