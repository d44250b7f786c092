import type { Logger } from 'pino';
import type { Activity } from './activity.ts';
import type { RuntimeState } from './runtime/state.ts';
import type { RuntimeSupervisor } from './runtime/supervisor.ts';

/** When to free the runtime's memory. Undefined means never. */
export interface MemoryLimits {
  /** Minutes without work until the model is unloaded. */
  idleMinutes: number | undefined;
  /** The runtime is restarted when it uses more memory than this. */
  ceilingBytes: number | undefined;
}

type Ready = Extract<RuntimeState, { phase: 'ready' }>;

/**
 * Unloads the model after a period without requests (the next request loads it again), and restarts
 * the runtime between requests when its memory has grown above the ceiling. Uses one timer while
 * idle, and none if idle unloading is off.
 */
export class MemorySaver {
  readonly #activity: Activity;
  readonly #runtime: RuntimeSupervisor;
  readonly #log: Logger;
  readonly #unsubscribes: (() => void)[];
  #limits: MemoryLimits;
  #timer: NodeJS.Timeout | undefined;
  #suspended = 0;
  /** The process that was already reported to be above the ceiling. */
  #reportedPid: number | undefined;

  constructor(activity: Activity, runtime: RuntimeSupervisor, limits: MemoryLimits, log: Logger) {
    this.#activity = activity;
    this.#runtime = runtime;
    this.#limits = limits;
    this.#log = log;
    this.#unsubscribes = [activity, runtime].map((part) => part.onChange(() => this.#update()));
  }

  setLimits(limits: MemoryLimits): void {
    if (limits.idleMinutes !== this.#limits.idleMinutes) this.#stopTimer();
    this.#limits = limits;
    this.#reportedPid = undefined;
    this.#update();
  }

  /** For work other than requests. Returns a function that resumes; call it once. */
  suspend(): () => void {
    this.#suspended += 1;
    this.#update();
    return () => {
      this.#suspended -= 1;
      this.#update();
    };
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribes) unsubscribe();
    this.#stopTimer();
  }

  #update(): void {
    const { state } = this.#runtime;
    const { idleMinutes } = this.#limits;
    const mayFree = state.phase === 'ready' && this.#suspended === 0;
    if (mayFree) this.#checkCeiling(state);
    if (mayFree && this.#activity.count === 0 && idleMinutes !== undefined) {
      this.#timer ??= setTimeout(() => void this.#runtime.unload(), idleMinutes * 60_000);
    } else this.#stopTimer();
  }

  /** A restart does not help if the model alone exceeds the ceiling; that is logged instead. */
  #checkCeiling({ model, memoryBytes, pid }: Ready): void {
    const { ceilingBytes = Number.POSITIVE_INFINITY } = this.#limits;
    if (memoryBytes <= ceilingBytes || this.#reportedPid === pid) return;
    this.#reportedPid = pid;
    const fields = { memoryBytes, ceilingBytes };
    if (model.memory_bytes > ceilingBytes) {
      this.#log.warn(
        fields,
        'the model alone needs more memory than --memory-ceiling allows; raise it',
      );
      return;
    }
    this.#log.info(
      fields,
      'the runtime uses more memory than --memory-ceiling allows; restarting it',
    );
    void this.#runtime.restart();
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
