/** What the latest job counts against all before it: about the last ten decide. */
const weight = 0.2;

/** How long a job holds its slot of late: the exponentially weighted mean. */
export class Pace {
  #meanMs: number | undefined;

  /** Undefined until the first job has ended. */
  get meanMs(): number | undefined {
    return this.#meanMs;
  }

  add(runMs: number): void {
    const meanMs = this.#meanMs ?? runMs;
    this.#meanMs = meanMs + weight * (runMs - meanMs);
  }
}
