import type { Activity } from '../server/activity.ts';
import type { LoadSample } from '../server/contract.ts';

const INTERVAL_MS = 1000;
const MAX_SAMPLES = 300;

/**
 * The load of the last five minutes: one sample per second while requests are in flight. When idle it
 * takes no samples and runs no timer.
 */
export class LoadHistory {
  readonly #activity: Activity;
  readonly #samples: LoadSample[] = [];
  readonly #unsubscribe: () => void;
  #timer: NodeJS.Timeout | undefined;
  #tokens = 0;

  constructor(activity: Activity) {
    this.#activity = activity;
    this.#unsubscribe = activity.onChange(() => this.#start());
  }

  /** Oldest first. */
  get samples(): readonly LoadSample[] {
    return this.#samples;
  }

  /** During the last full second. */
  get tokensPerSecond(): number {
    return this.#timer === undefined ? 0 : (this.#samples.at(-1)?.tokensPerSecond ?? 0);
  }

  close(): void {
    this.#unsubscribe();
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #start(): void {
    if (this.#timer !== undefined || this.#activity.count === 0) return;
    this.#tokens = this.#activity.tokens;
    this.#add(0);
    this.#timer = setInterval(() => this.#sample(), INTERVAL_MS);
  }

  #sample(): void {
    const generated = this.#activity.tokens - this.#tokens;
    this.#tokens += generated;
    this.#add(generated);
    if (this.#activity.count > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #add(tokensPerSecond: number): void {
    const active = this.#activity.active();
    const running = active.filter(({ startedAt }) => startedAt !== undefined).length;
    const waiting = active.length - running;
    this.#samples.push({ at: Date.now(), running, waiting, tokensPerSecond });
    if (this.#samples.length > MAX_SAMPLES) this.#samples.shift();
  }
}
