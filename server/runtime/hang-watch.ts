/** What the launcher reports about the generation thread (`GET /sightglass/progress`). */
export interface RuntimeProgress {
  steps: number;
  /** Generations that have not ended. */
  active: number;
  memory_bytes: number;
  /** The maximum so far. */
  peak_memory_bytes: number;
}

export interface HangWatchOptions {
  /** How long there may be work but no progress. May change at any time. */
  timeoutMs: () => number;
  /** Asks the runtime for its progress. Rejects or never settles if it does not answer. */
  probe: (signal: AbortSignal) => Promise<RuntimeProgress>;
  onHang: () => void;
  /** Milliseconds on a clock that may pause while the machine sleeps. */
  now: () => number;
}

/**
 * Detects a hang by the lack of progress while there is work, since mlx_vlm can keep answering
 * /v1/models while generation is stuck (Blaizzy/mlx-vlm#2239). Tokens are progress. After half the
 * timeout without any, it asks for the step count of the generation loop, so that a long prefill does
 * not count as a hang. Without work there is no timer.
 */
export class HangWatch {
  readonly #options: HangWatchOptions;
  #working = 0;
  /** The current period of work; the result of a probe from an earlier one is ignored. */
  #period: { timer: NodeJS.Timeout } | undefined;
  #progressAt = 0;
  /** The steps that the runtime last reported; undefined once there has been progress since. */
  #steps: number | undefined;

  constructor(options: HangWatchOptions) {
    this.#options = options;
  }

  /** Registers a request that the runtime is handling. Returns a function that removes it. */
  begin(): () => void {
    this.#working += 1;
    if (this.#working === 1) this.#start();
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      this.#working -= 1;
      if (this.#working === 0) this.stop();
    };
  }

  /** Records that tokens have arrived. Called for every chunk, so it only reads the clock. */
  progress(): void {
    this.#progressAt = this.#options.now();
    this.#steps = undefined;
  }

  stop(): void {
    clearTimeout(this.#period?.timer);
    this.#period = undefined;
  }

  #start(): void {
    this.progress();
    const period = { timer: setTimeout(() => void this.#check(period), this.#halfMs) };
    this.#period = period;
  }

  get #halfMs(): number {
    return this.#options.timeoutMs() / 2;
  }

  async #check(period: { timer: NodeJS.Timeout }): Promise<void> {
    const { now, onHang } = this.#options;
    const quietMs = now() - this.#progressAt;
    if (quietMs < this.#halfMs) {
      this.#steps = undefined;
      this.#checkAgain(period, this.#halfMs - quietMs);
      return;
    }
    const askedAt = now();
    const progress = await this.#ask();
    if (period !== this.#period) return; // that work has ended
    if (progress === 'no answer in time' && now() - askedAt < this.#halfMs) {
      this.#checkAgain(period, 0); // the machine slept: the runtime had no time to answer
    } else if (typeof progress === 'string' || this.#isStuck(progress)) {
      onHang();
    } else {
      this.#steps = progress.steps;
      this.#checkAgain(period, this.#halfMs);
    }
  }

  async #ask(): Promise<RuntimeProgress | 'no answer' | 'no answer in time'> {
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), this.#halfMs);
    try {
      return await this.#options.probe(controller.signal);
    } catch {
      return controller.signal.aborted ? 'no answer in time' : 'no answer';
    } finally {
      clearTimeout(timer);
    }
  }

  /** If nothing is being generated, the client is just not reading. */
  #isStuck({ steps, active }: RuntimeProgress): boolean {
    return active > 0 && steps === this.#steps;
  }

  #checkAgain(period: { timer: NodeJS.Timeout }, delayMs: number): void {
    period.timer = setTimeout(() => void this.#check(period), delayMs);
  }
}
