import { startTimer } from '../awake-clock.ts';
import type { RuntimeConnection } from './connection.ts';
import { RuntimeWaitError } from './errors.ts';

export interface WaitOptions {
  signal: AbortSignal;
  /** Unlimited if omitted. */
  maxWaitMs?: number;
}

interface Waiter {
  /** Resolves the wait, unless the waiter does not accept the connection yet. */
  offer(connection: RuntimeConnection): void;
  refuse(reason: Error): void;
}

/** The callers that are waiting for a runtime. */
export class Waiters {
  readonly #waiters = new Set<Waiter>();
  readonly #now: () => number;

  /** `now` is the clock for timeouts, in ms. */
  constructor(now: () => number) {
    this.#now = now;
  }

  get isEmpty(): boolean {
    return this.#waiters.size === 0;
  }

  /**
   * Resolves with what `take` returns for an offered connection; `take` returns undefined to keep
   * waiting.
   * @throws RuntimeWaitError after `maxWaitMs`, the reason of a refusal, or the signal's reason
   */
  wait<T>(
    take: (connection: RuntimeConnection) => T | undefined,
    { signal, maxWaitMs }: WaitOptions,
  ): Promise<T> {
    if (signal.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const onAbort = () => waiter.refuse(signal.reason);
      const stopTimer =
        maxWaitMs === undefined
          ? () => {}
          : startTimer(maxWaitMs, this.#now, () => waiter.refuse(new RuntimeWaitError(maxWaitMs)));
      const leave = () => {
        this.#waiters.delete(waiter);
        signal.removeEventListener('abort', onAbort);
        stopTimer();
      };
      const waiter: Waiter = {
        offer: (connection) => {
          const taken = take(connection);
          if (taken === undefined) return;
          leave();
          resolve(taken);
        },
        refuse: (reason) => {
          leave();
          reject(reason);
        },
      };
      this.#waiters.add(waiter);
      signal.addEventListener('abort', onAbort);
    });
  }

  offer(connection: RuntimeConnection): void {
    for (const waiter of [...this.#waiters]) waiter.offer(connection);
  }

  refuse(reason: Error): void {
    for (const waiter of [...this.#waiters]) waiter.refuse(reason);
  }
}
