import type { Activity } from '../server/activity.ts';
import type { LoadSample } from '../server/contract.ts';

const SECOND = 1000;
const KEPT_SAMPLES = 300;

/** How loaded the service was: a sample each second while there is work, none and no timer without. */
export class LoadHistory {
  readonly #activity: Activity;
  readonly #samples: LoadSample[] = [];
  readonly #forget: () => void;
  #timer: NodeJS.Timeout | undefined;
  #tokens = 0;

  constructor(activity: Activity) {
    this.#activity = activity;
    this.#forget = activity.onChange(() => this.#begin());
  }

  /** The oldest first. */
  get samples(): readonly LoadSample[] {
    return this.#samples;
  }

  /** Of the last whole second. */
  get tokensPerSecond(): number {
    return this.#timer === undefined ? 0 : (this.#samples.at(-1)?.tokensPerSecond ?? 0);
  }

  close(): void {
    this.#forget();
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #begin(): void {
    if (this.#timer !== undefined || this.#activity.count === 0) return;
    this.#tokens = this.#activity.tokens;
    this.#add(0);
    this.#timer = setInterval(() => this.#sample(), SECOND);
  }

  #sample(): void {
    const made = this.#activity.tokens - this.#tokens;
    this.#tokens += made;
    this.#add(made);
    if (this.#activity.count > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #add(tokensPerSecond: number): void {
    const active = this.#activity.active();
    const running = active.filter(({ startedAt }) => startedAt !== undefined).length;
    const waiting = active.length - running;
    this.#samples.push({ at: Date.now(), running, waiting, tokensPerSecond });
    if (this.#samples.length > KEPT_SAMPLES) this.#samples.shift();
  }
}
