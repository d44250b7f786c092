import { startTimer } from '../awake-clock.ts';
import { type Link, LinkedList } from './linked-list.ts';

/** A deadline that has started and can be cleared. */
export interface Deadline<Item> extends Link<Deadline<Item>> {
  readonly item: Item;
  readonly dueMs: number;
}

/**
 * Deadlines with the same timeout. They expire in the order in which they started, so a list and one
 * timer are enough; a timer for each job would make the queue a third slower (`npm run bench`).
 */
export class Deadlines<Item> {
  readonly #timeoutMs: number;
  readonly #now: () => number;
  readonly #onExpired: (item: Item) => void;
  readonly #pending = new LinkedList<Deadline<Item>>();
  #stopTimer: (() => void) | undefined;

  /** `now` is a clock in ms, which may pause. */
  constructor(timeoutMs: number, now: () => number, onExpired: (item: Item) => void) {
    this.#timeoutMs = timeoutMs;
    this.#now = now;
    this.#onExpired = onExpired;
  }

  start(item: Item): Deadline<Item> {
    const dueMs = this.#now() + this.#timeoutMs;
    const deadline = { item, dueMs, previous: undefined, next: undefined };
    this.#pending.append(deadline);
    if (this.#stopTimer === undefined) this.#wait(this.#timeoutMs);
    return deadline;
  }

  clear(deadline: Deadline<Item>): void {
    this.#pending.remove(deadline);
    if (this.#pending.first === undefined) this.#stop();
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
    const nowMs = this.#now();
    let next = this.#pending.first;
    while (next !== undefined && next.dueMs <= nowMs) {
      this.#pending.remove(next);
      this.#onExpired(next.item);
      next = this.#pending.first;
    }
    this.#stop();
    if (next !== undefined) this.#wait(next.dueMs - nowMs);
  }
}
