/** Who is next: `fifo`, first come first served; `fair`, clients take turns. */
export type QueuePolicy = 'fifo' | 'fair';

export interface QueueLimits {
  /** Jobs that run at once, 1 or more. */
  maxConcurrency: number;
  /**
   * Jobs that may wait, beside those that load for a slot that is free. With 0 nothing may wait for
   * another job.
   */
  maxQueueSize: number;
  /** From a job's arrival to its end, waiting and running together. */
  timeoutMs: number;
  policy: QueuePolicy;
}

/** Throws a TypeError at the first limit that makes no sense. */
export function checkLimits({
  maxConcurrency,
  maxQueueSize,
  timeoutMs,
  policy,
}: QueueLimits): void {
  const isCount = (value: number, least: number) => Number.isSafeInteger(value) && value >= least;
  const isDuration = (value: number) => Number.isFinite(value) && value > 0;
  expect(isCount(maxConcurrency, 1), 'maxConcurrency', 'an integer of at least 1', maxConcurrency);
  expect(isCount(maxQueueSize, 0), 'maxQueueSize', 'an integer of at least 0', maxQueueSize);
  expect(isDuration(timeoutMs), 'timeoutMs', 'a finite number above 0', timeoutMs);
  expect(policy === 'fifo' || policy === 'fair', 'policy', '"fifo" or "fair"', policy);
}

function expect(valid: boolean, name: keyof QueueLimits, expected: string, got: unknown): void {
  if (!valid) throw new TypeError(`Expected \`${name}\` to be ${expected}, got ${got}.`);
}

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
