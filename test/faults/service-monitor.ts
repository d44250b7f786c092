// Preloaded into the service (`node --import`): answers each message with the process's vitals, and
// resets the longest stall.

import { readdirSync, readFileSync } from 'node:fs';

const RESOLUTION_MS = 5;

export interface Vitals {
  /**
   * The longest time that the event loop was blocked since the last message: the CPU time of its thread,
   * so that other processes on a busy machine do not count.
   */
  longestStallMs: number;
  rssBytes: number;
  /** Heap and external memory in use; exact after a collection. */
  heldBytes: number;
  /** The highest since the process started. */
  peakRssBytes: number;
  openFiles: number;
}

let longestStallMs = 0;
let cpuMs = readCpuMs();
setInterval(() => {
  const now = readCpuMs();
  longestStallMs = Math.max(longestStallMs, now - cpuMs);
  cpuMs = now;
}, RESOLUTION_MS).unref();

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
 * On Linux, `maxRSS` survives exec: it would be at least what the campaign itself held when it started
 * the service. The peak of the address space does not.
 */
function readPeakRss(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  const [, kilobytes] =
    /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}
