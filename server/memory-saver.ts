import type { Logger } from 'pino';
import type { Activity } from './activity.ts';
import type { RuntimeState } from './runtime/state.ts';
import type { RuntimeSupervisor } from './runtime/supervisor.ts';

/** When the runtime gives memory back. Undefined: never. */
export interface MemoryLimits {
  /** Minutes without work until the model is unloaded. */
  idleMinutes: number | undefined;
  /** The runtime is restarted when it uses more memory than this. */
  ceilingBytes: number | undefined;
}

type Ready = Extract<RuntimeState, { phase: 'ready' }>;

/**
 * Gives memory back: unloads the model when there has been nothing to do for so long (the next
 * request loads it again), and starts the runtime anew, between requests, when it has grown above
 * its ceiling. One timer while idle, none without that setting.
 */
export class MemorySaver {
  readonly #activity: Activity;
  readonly #runtime: RuntimeSupervisor;
  readonly #log: Logger;
  readonly #forget: (() => void)[];
  #limits: MemoryLimits;
  #timer: NodeJS.Timeout | undefined;
  #suspended = 0;
  /** The life of the runtime of which it was said that it is above its ceiling. */
  #told: number | undefined;

  constructor(activity: Activity, runtime: RuntimeSupervisor, limits: MemoryLimits, log: Logger) {
    this.#activity = activity;
    this.#runtime = runtime;
    this.#limits = limits;
    this.#log = log;
    this.#forget = [activity, runtime].map((part) => part.onChange(() => this.#consider()));
  }

  setLimits(limits: MemoryLimits): void {
    if (limits.idleMinutes !== this.#limits.idleMinutes) this.#stopTimer();
    this.#limits = limits;
    this.#told = undefined;
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
    this.#stopTimer();
  }

  #consider(): void {
    const { state } = this.#runtime;
    const { idleMinutes } = this.#limits;
    const mayGo = state.phase === 'ready' && this.#suspended === 0;
    if (mayGo) this.#considerCeiling(state);
    if (mayGo && this.#activity.count === 0 && idleMinutes !== undefined) {
      this.#timer ??= setTimeout(() => void this.#runtime.unload(), idleMinutes * 60_000);
    } else this.#stopTimer();
  }

  /** A model that is above it from the start would be so again: that is told, and it stays. */
  #considerCeiling({ model, memoryBytes, pid }: Ready): void {
    const { ceilingBytes = Number.POSITIVE_INFINITY } = this.#limits;
    if (memoryBytes <= ceilingBytes || this.#told === pid) return;
    this.#told = pid;
    const fields = { memoryBytes, ceilingBytes };
    if (model.memory_bytes > ceilingBytes) {
      this.#log.warn(fields, 'the model alone takes more memory than its ceiling: raise it');
      return;
    }
    this.#log.info(fields, 'above the memory ceiling: restarting the runtime');
    void this.#runtime.restart();
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
