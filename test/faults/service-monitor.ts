// Preloaded into the service (`node --import`). Replies to every message with the process's vitals, and
// resets the longest stall.

import { readdirSync, readFileSync } from 'node:fs';

const INTERVAL_MS = 5;

export interface Vitals {
  /**
   * The longest time that the event loop was blocked since the last message, measured as CPU time of its
   * thread, so that it does not depend on other processes.
   */
  longestStallMs: number;
  rssBytes: number;
  /** Heap and external memory in use; exact after a garbage collection. */
  heldBytes: number;
  /** The highest RSS since the process started. */
  peakRssBytes: number;
  openFiles: number;
}

let longestStallMs = 0;
let cpuMs = readCpuMs();
setInterval(() => {
  const now = readCpuMs();
  longestStallMs = Math.max(longestStallMs, now - cpuMs);
  cpuMs = now;
}, INTERVAL_MS).unref();

process.on('message', ({ collect }: { collect: boolean }) => {
  if (collect) globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  const vitals: Vitals = {
    longestStallMs,
    rssBytes: process.memoryUsage.rss(),
    heldBytes: heapUsed + external,
    peakRssBytes: readPeakRss(),
    openFiles: readdirSync('/dev/fd').length,
  };
  longestStallMs = 0;
  process.send?.(vitals);
});
process.channel?.unref();

function readCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/**
 * On Linux, `maxRSS` is inherited across exec, so it would be at least the RSS of the campaign's own process
 * when it started the service. VmHWM is not inherited.
 */
function readPeakRss(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  const [, kilobytes] =
    /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}
