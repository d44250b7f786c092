export interface HangWatchOptions {
  /** Milliseconds without progress, while there is work, that count as a hang. */
  timeoutMs: number;
  /** Steps the runtime has made so far; rejects or stalls when it does not answer. */
  probe: (signal: AbortSignal) => Promise<number>;
  onHang: () => void;
}

/**
 * Judges a hang by progress while work is in flight, not by the runtime answering: mlx_vlm has been
 * seen to answer /v1/models for ever while generation stood still (Blaizzy/mlx-vlm#2239). Tokens are
 * progress; without any for half the time, the steps of its generation loop are asked for, so that
 * a long prefill is no hang. Without work there is no timer.
 */
export class HangWatch {
  readonly #options: HangWatchOptions;
  #working = 0;
  #timer: NodeJS.Timeout | undefined;
  #progressAt = 0;
  #steps: number | undefined;

  constructor(options: HangWatchOptions) {
    this.#options = options;
  }

  /** Tells that a request is with the runtime; returns what tells that it is no more. */
  begin(): () => void {
    this.#working += 1;
    if (this.#working === 1) {
      this.progress();
      this.#arm(this.#options.timeoutMs / 2);
    }
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      this.#working -= 1;
      if (this.#working === 0) this.stop();
    };
  }

  /** Tells that tokens have come. Called for every chunk, so it only takes the time. */
  progress(): void {
    this.#progressAt = performance.now();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#steps = undefined;
  }

  #arm(delayMs: number): void {
    this.#timer = setTimeout(() => void this.#check(), delayMs);
  }

  async #check(): Promise<void> {
    const half = this.#options.timeoutMs / 2;
    const timer = this.#timer;
    const quietMs = performance.now() - this.#progressAt;
    if (quietMs < half) {
      this.#steps = undefined;
      this.#arm(half - quietMs);
      return;
    }
    const steps = await this.#options.probe(AbortSignal.timeout(half)).catch(() => undefined);
    if (timer !== this.#timer) return; // stopped, or begun anew, while it was asked
    if (performance.now() - this.#progressAt < half) {
      this.#arm(half);
      return;
    }
    if (steps === undefined || steps === this.#steps) {
      this.#options.onHang();
      return;
    }
    this.#steps = steps;
    this.#arm(half);
  }
}
