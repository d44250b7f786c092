import type { TestContext } from 'node:test';

/**
 * Counts the timers that have neither fired nor been cleared. Call it after `mock.timers.enable`, so
 * that the mocked ones are counted.
 */
export function countTimers(t: TestContext): () => number {
  const live = new Set<unknown>();
  const { setTimeout, clearTimeout } = globalThis;
  t.mock.method(globalThis, 'setTimeout', (callback: () => void, ms: number) => {
    const timer = setTimeout(() => {
      live.delete(timer);
      callback();
    }, ms);
    live.add(timer);
    return timer;
  });
  t.mock.method(globalThis, 'clearTimeout', (timer: NodeJS.Timeout | undefined) => {
    live.delete(timer);
    clearTimeout(timer);
  });
  return () => live.size;
}
