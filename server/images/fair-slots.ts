/**
 * Limits how much work runs at once. Clients take turns, so that one with a hundred images does not
 * keep a client with one image waiting behind them all.
 */
export class FairSlots {
  #free: number;
  /** Waiting work by client, in the order of their turns. */
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(slots: number) {
    this.#free = slots;
  }

  /**
   * Runs the work once a slot is free, and frees the slot when it ends.
   * @throws the signal's reason if that fires before the work has started
   */
  async run<T>(client: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.#enter(client, signal);
    try {
      return await work();
    } finally {
      this.#free += 1;
      this.#startNext();
    }
  }

  async #enter(client: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const line = this.#waiting.get(client) ?? new Set();
    this.#waiting.set(client, line.add(resolve));
    const leave = () => {
      line.delete(resolve);
      if (line.size === 0 && this.#waiting.get(client) === line) this.#waiting.delete(client);
      reject(signal.reason);
    };
    signal.addEventListener('abort', leave, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  #startNext(): void {
    const [turn] = this.#waiting;
    if (turn === undefined) return;
    const [client, line] = turn;
    const [start] = line;
    this.#waiting.delete(client);
    if (start === undefined) return;
    line.delete(start);
    if (line.size > 0) this.#waiting.set(client, line); // behind the others
    this.#free -= 1;
    start();
  }
}
