import { setTimeout } from 'node:timers/promises';

const SLICE_BYTES = 64 * 1024;
const SLICE_SECONDS = 0.02;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The speed of a line that all downloads share. */
export class Pace {
  #bytesPerSecond: number | undefined;
  /** When the line will have sent what it was given. */
  #freeAt = 0;
  #change = new AbortController();

  /** From now on, for downloads under way too. 0 stalls them; undefined is as fast as it gets. */
  set(bytesPerSecond: number | undefined): void {
    this.#bytesPerSecond = bytesPerSecond;
    this.#freeAt = 0;
    this.#change.abort();
    this.#change = new AbortController();
  }

  /** Resolves when it is the turn of the next bytes, with how many of those wanted may go. */
  async next(wanted: number): Promise<number> {
    for (;;) {
      const rate = this.#bytesPerSecond;
      if (rate === undefined) return Math.min(wanted, SLICE_BYTES);
      const bytes = Math.min(wanted, SLICE_BYTES, Math.max(1, Math.round(rate * SLICE_SECONDS)));
      const now = performance.now();
      this.#freeAt = Math.max(now, this.#freeAt) + (1000 * bytes) / rate;
      if (await this.#waited(this.#freeAt - now)) return bytes;
    }
  }

  /** False when the speed has changed before. */
  async #waited(ms: number): Promise<boolean> {
    const { signal } = this.#change;
    await setTimeout(Math.min(Math.ceil(ms), LONGEST_TIMER_MS), undefined, { signal }).catch(
      () => {},
    );
    return !signal.aborted;
  }
}
