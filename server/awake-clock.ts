/**
 * Milliseconds during which the machine was awake: deadlines do not pass, and nothing counts as
 * hung, while it sleeps. Whoever hosts the service tells when it does.
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

/** Node fires a longer timer at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Calls `onPassed` once `ms` have passed on a clock that may stand still: a timer that fires when the
 * machine wakes goes on for the rest. Returns what stops it.
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
