const WINDOW_MS = 10_000;

/** How fast bytes come, by what came in the last seconds. Bytes that are there at first are not counted. */
export class TransferRate {
  readonly #now: () => number;
  #samples: { at: number; bytes: number }[] = [];

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** `bytes` is all there is by now. */
  add(bytes: number): void {
    const at = this.#now();
    this.#samples.push({ at, bytes });
    // The last one before the window stays, so that a slow transfer has two to compare.
    const first = this.#samples.findIndex((sample) => at - sample.at <= WINDOW_MS);
    if (first > 1) this.#samples = this.#samples.slice(first - 1);
  }

  /** Undefined until there is something to compare. */
  get bytesPerSecond(): number | undefined {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (first === undefined || last === undefined || last.at - first.at < 200) return undefined;
    return Math.max(0, ((last.bytes - first.bytes) / (last.at - first.at)) * 1000);
  }
}
