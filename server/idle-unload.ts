import type { Activity } from './activity.ts';
import type { RuntimeSupervisor } from './runtime/runtime-supervisor.ts';

/**
 * Stops the runtime, and frees the model's memory, when there has been nothing to do for so long;
 * the next request starts it again. One timer while idle, none without the setting.
 */
export class IdleUnload {
  readonly #activity: Activity;
  readonly #runtime: RuntimeSupervisor;
  readonly #forget: (() => void)[];
  #timer: NodeJS.Timeout | undefined;
  #afterMs: number | undefined;
  #suspended = 0;

  constructor(activity: Activity, runtime: RuntimeSupervisor, minutes: number | undefined) {
    this.#activity = activity;
    this.#runtime = runtime;
    this.#forget = [activity, runtime].map((part) => part.onChange(() => this.#consider()));
    this.setMinutes(minutes);
  }

  /** Undefined: never. */
  setMinutes(minutes: number | undefined): void {
    this.#afterMs = minutes === undefined ? undefined : minutes * 60_000;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#consider();
  }

  /** For work that is no request. Returns what ends it; call that once. */
  suspend(): () => void {
    this.#suspended += 1;
    this.#consider();
    return () => {
      this.#suspended -= 1;
      this.#consider();
    };
  }

  close(): void {
    for (const forget of this.#forget) forget();
    clearTimeout(this.#timer);
  }

  /** The timer runs while the runtime is up and idle; what happens meanwhile begins it anew. */
  #consider(): void {
    const hasWork = this.#suspended > 0 || this.#activity.count > 0;
    const isIdle = this.#runtime.state.phase === 'ready' && !hasWork;
    if (isIdle && this.#afterMs !== undefined) {
      this.#timer ??= setTimeout(() => void this.#runtime.unload(), this.#afterMs);
    } else {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
  }
}
