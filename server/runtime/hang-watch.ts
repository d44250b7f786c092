/** What the launcher tells of the generation thread (`GET /sightglass/progress`). */
export interface RuntimeProgress {
  steps: number;
  /** Generations that have not ended. */
  active: number;
  memory_bytes: number;
  /** The most that was in use at once. */
  peak_memory_bytes: number;
}

export interface HangWatchOptions {
  /** Milliseconds without progress, while there is work, that count as a hang. */
  timeoutMs: number;
  /** What the runtime is at; rejects or stalls when it does not answer. */
  probe: (signal: AbortSignal) => Promise<RuntimeProgress>;
  onHang: () => void;
  /** Milliseconds on a clock that may stand still, as the machine does. */
  now?: () => number;
}

/**
 * Judges a hang by progress while work is in flight, not by the runtime answering: mlx_vlm has been
 * seen to answer /v1/models for ever while generation stood still (Blaizzy/mlx-vlm#2239). Tokens are
 * progress; without any for half the time, the steps of its generation loop are asked for, so that
 * a long prefill is no hang. Without work there is no timer.
 */
export class HangWatch {
  readonly #options: HangWatchOptions;
  readonly #now: () => number;
  #working = 0;
  #timer: NodeJS.Timeout | undefined;
  #progressAt = 0;
  #steps: number | undefined;

  constructor(options: HangWatchOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
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
    this.#progressAt = this.#now();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#steps = undefined;
  }

  /** Without a generation under way it is a client that keeps us waiting, by not reading. */
  #standsStill({ steps, active }: RuntimeProgress): boolean {
    const isQuiet = this.#now() - this.#progressAt >= this.#options.timeoutMs / 2;
    return isQuiet && active > 0 && steps === this.#steps;
  }

  #arm(delayMs: number): void {
    this.#timer = setTimeout(() => void this.#check(), delayMs);
  }

  async #check(): Promise<void> {
    const half = this.#options.timeoutMs / 2;
    const timer = this.#timer;
    const quietMs = this.#now() - this.#progressAt;
    if (quietMs < half) {
      this.#steps = undefined;
      this.#arm(half - quietMs);
      return;
    }
    const now = await this.#options.probe(AbortSignal.timeout(half)).catch(() => undefined);
    if (timer !== this.#timer) return; // stopped, or begun anew, while it was asked
    if (now === undefined || this.#standsStill(now)) {
      this.#options.onHang();
      return;
    }
    this.#steps = now.steps;
    this.#arm(half);
  }
}
