/**
 * Counts milliseconds while the machine is awake, so that sleeping neither passes deadlines nor looks
 * like a hang. The host of the service reports when the machine sleeps and wakes.
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
 * Calls `onPassed` once `ms` have passed on a clock that may pause: a timer that fires early, after
 * the machine wakes, is set again for the rest. Returns a function that cancels it.
 */
export function startTimer(ms: number, now: () => number, onPassed: () => void): () => void {
  const dueMs = now() + ms;
  let timer: NodeJS.Timeout;
  const wait = () => {
    timer = setTimeout(check, Math.min(Math.max(0, dueMs - now()), LONGEST_TIMER_MS));
  };
  const check = () => (now() >= dueMs ? onPassed() : wait());
  wait();
  return () => clearTimeout(timer);
}
