import { type Link, LinkedList } from './linked-list.ts';

/** Node fires a longer timer at once. */
const longestTimerMs = 2 ** 31 - 1;

/** One that was started and may be cleared. */
export interface Deadline<Item> extends Link<Deadline<Item>> {
  readonly item: Item;
  /** On the clock that was given. */
  readonly dueMs: number;
}

/**
 * Deadlines that are all equally long, so that the first to start is the first to pass and one timer
 * does for all: a timer per job would cost more than all else that the queue does for it.
 */
export class Deadlines<Item> {
  readonly timeoutMs: number;
  readonly #onPassed: (item: Item) => void;
  readonly #now: () => number;
  readonly #pending = new LinkedList<Deadline<Item>>();
  #timer: NodeJS.Timeout | undefined;

  /** @param now milliseconds on a clock that nobody sets; it may stand still, and they wait then */
  constructor(timeoutMs: number, onPassed: (item: Item) => void, now: () => number) {
    this.timeoutMs = timeoutMs;
    this.#onPassed = onPassed;
    this.#now = now;
  }

  /** The deadline passes after `timeoutMs`, however long that is, unless it is cleared. */
  start(item: Item): Deadline<Item> {
    const dueMs = this.#now() + this.timeoutMs;
    const deadline = { item, dueMs, previous: undefined, next: undefined };
    this.#pending.append(deadline);
    if (this.#timer === undefined) this.#wait(this.timeoutMs);
    return deadline;
  }

  clear(deadline: Deadline<Item>): void {
    this.#pending.remove(deadline);
    if (this.#pending.first === undefined) this.#stop(); // else it may come too early for the next
  }

  #wait(delayMs: number): void {
    this.#timer = setTimeout(() => this.#check(), Math.min(delayMs, longestTimerMs));
  }

  /** What it calls may start and clear deadlines, and with them the timer. */
  #check(): void {
    const nowMs = this.#now();
    let next = this.#pending.first;
    while (next !== undefined && next.dueMs <= nowMs) {
      this.#pending.remove(next);
      this.#onPassed(next.item);
      next = this.#pending.first;
    }
    this.#stop();
    if (next !== undefined) this.#wait(next.dueMs - nowMs);
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
