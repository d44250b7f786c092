// Loaded into the service before it starts (`node --import`): answers each message of the campaign
// with how the process is, and forgets the longest stall.

import { readdirSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const NS_PER_MS = 1e6;
const RESOLUTION_MS = 5;

export interface Vitals {
  /** The longest time in which the event loop did nothing else, since the last question. */
  longestStallMs: number;
  rssBytes: number;
  /** What is reachable in and outside the heap; exact after a collection. */
  heldBytes: number;
  /** The highest there ever was. */
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
