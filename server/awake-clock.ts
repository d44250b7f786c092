/**
 * Counts milliseconds while the machine is awake, so that sleep neither expires deadlines nor looks
 * like a hang. The host of the service reports when the machine goes to sleep and wakes up.
 */
export class AwakeClock {
  #sleptMs = 0;
  #asleepSince: number | undefined;

  readonly now = (): number => (this.#asleepSince ?? performance.now()) - this.#sleptMs;

  sleep(): void {
    this.#asleepSince ??= performance.now();
  }

  wake(): void {
    if (this.#asleepSince === undefined) return;
    this.#sleptMs += performance.now() - this.#asleepSince;
    this.#asleepSince = undefined;
  }
}

/** Node fires a longer timer immediately. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Calls `onExpired` once `ms` have passed on a clock that may pause. A timer that fires too early by
 * that clock, because the machine slept, is set again for the rest. Returns a function that cancels it.
 */
export function startTimer(ms: number, now: () => number, onExpired: () => void): () => void {
  const dueMs = now() + ms;
  const check = () => {
    const leftMs = dueMs - now();
    if (leftMs <= 0) onExpired();
    else timer = setTimeout(check, Math.min(leftMs, LONGEST_TIMER_MS));
  };
  let timer = setTimeout(check, Math.min(Math.max(0, ms), LONGEST_TIMER_MS));
  return () => clearTimeout(timer);
}
