import { startTimer } from '../awake-clock.ts';

/**
 * Deadlines with the same timeout. They expire in the order in which they started, so one timer is
 * enough; a timer for each job would make the queue a third slower (`npm run bench`).
 */
export class Deadlines<Item> {
  readonly #timeoutMs: number;
  readonly #now: () => number;
  readonly #onExpired: (item: Item) => void;
  /** When each item is due, in order. */
  readonly #pending = new Map<Item, number>();
  #stopTimer: (() => void) | undefined;

  /** `now` is a clock in ms, which may pause. */
  constructor(timeoutMs: number, now: () => number, onExpired: (item: Item) => void) {
    this.#timeoutMs = timeoutMs;
    this.#now = now;
    this.#onExpired = onExpired;
  }

  start(item: Item): void {
    this.#pending.set(item, this.#now() + this.#timeoutMs);
    if (this.#stopTimer === undefined) this.#wait(this.#timeoutMs);
  }

  clear(item: Item): void {
    this.#pending.delete(item);
    if (this.#pending.size === 0) this.#stop();
  }

  #wait(ms: number): void {
    this.#stopTimer = startTimer(ms, this.#now, () => this.#expire());
  }

  #stop(): void {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }

  /** `onExpired` may start and clear other deadlines. */
  #expire(): void {
    let leftMs = 0;
    for (const [item, dueMs] of this.#pending) {
      leftMs = dueMs - this.#now();
      if (leftMs > 0) break;
      this.#pending.delete(item);
      this.#onExpired(item);
    }
    this.#stop();
    if (this.#pending.size > 0) this.#wait(leftMs);
  }
}
