/** What the launcher reports about the generation thread (`GET /sightglass/progress`). */
export interface RuntimeProgress {
  steps: number;
  /** Generations that have not ended. */
  active: number;
  memory_bytes: number;
  /** The most that was in use at once. */
  peak_memory_bytes: number;
}

export interface HangWatchOptions {
  /** Milliseconds without progress, while there is work, that count as a hang; may change. */
  timeoutMs: () => number;
  /** Asks the runtime for its progress; rejects or stalls when it does not answer. */
  probe: (signal: AbortSignal) => Promise<RuntimeProgress>;
  onHang: () => void;
  /** Milliseconds on a clock that may stand still, as the machine does when it sleeps. */
  now: () => number;
}

/**
 * Detects a hang by progress while work is in flight, not by whether the runtime answers: mlx_vlm
 * has been seen to answer /v1/models for ever while generation stood still (Blaizzy/mlx-vlm#2239).
 * Tokens are progress. Without any for half the timeout, the watch asks for the steps of the
 * generation loop, so that a long prefill is no hang. Without work there is no timer.
 */
export class HangWatch {
  readonly #options: HangWatchOptions;
  #working = 0;
  /** The current period of work; a probe that was started in an earlier one decides nothing. */
  #period: { timer: NodeJS.Timeout } | undefined;
  #progressAt = 0;
  /** What the runtime answered last, unless there was progress since. */
  #steps: number | undefined;

  constructor(options: HangWatchOptions) {
    this.#options = options;
  }

  /** Registers a request that is with the runtime. Returns what ends it. */
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

  /** Notes that tokens have come. Called for every chunk, so it only reads the clock. */
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
    if (period !== this.#period) return; // the work ended, or other work began, in the meantime
    if (progress === 'no answer in time' && now() - askedAt < this.#halfMs) {
      this.#checkAgain(period, 0); // the machine slept: the runtime had no time to answer
    } else if (typeof progress === 'string' || this.#standsStill(progress)) {
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

  /** While nothing generates, what takes long is a client that does not read. */
  #standsStill({ steps, active }: RuntimeProgress): boolean {
    return active > 0 && steps === this.#steps;
  }

  #checkAgain(period: { timer: NodeJS.Timeout }, delayMs: number): void {
    period.timer = setTimeout(() => void this.#check(period), delayMs);
  }
}
