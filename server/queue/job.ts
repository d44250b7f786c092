import type { Deadline, Deadlines } from './deadlines.ts';

/** A job's work. It must stop soon after the signal fires; the job keeps its slot until it has. */
export type Work<T> = (signal: AbortSignal) => Promise<T>;

export interface JobOptions {
  /** Unique among the jobs that are waiting or running. */
  id: string;
  /** Under the fair policy, clients take turns. */
  client?: string;
  /** Fires when the caller no longer wants the result. */
  signal?: AbortSignal;
  /**
   * Resolves when the job can start; until then, later jobs overtake it. A function is called once
   * the job has been admitted.
   */
  ready?: Promise<unknown> | (() => Promise<unknown>);
}

/**
 * - loading: waiting, and `ready` is still pending
 * - ready: waiting for its turn
 * - running: the work is in progress
 * - stopping: the caller has been rejected, but the work still holds its slot
 * - ended
 */
type JobPhase = 'loading' | 'ready' | 'running' | 'stopping' | 'ended';

/** Settles a job's promise. */
interface Caller<T> {
  resolve(value: T): void;
  reject(reason: unknown): void;
}

const nothing = () => {};
const noWork = async () => {
  throw new TypeError('The job has ended.');
};

/** One piece of work, and the promise that its caller waits for. */
export class Job<T = unknown> {
  readonly id: string;
  readonly client: string;
  /** Counts up from job to job. */
  readonly arrival: number;
  readonly promise: Promise<T>;
  /** Its neighbors in the line, for the line to set. */
  previous: Job | undefined;
  next: Job | undefined;

  #phase: JobPhase = 'loading';
  readonly #arrivedMs = performance.now();
  #startedMs: number | undefined;
  #work: Work<T>;
  readonly #caller: Caller<T>;
  /** Passes the outcome of the work to the caller. */
  #deliver = nothing;
  #controller: AbortController | undefined;
  #deadlines: Deadlines<Job> | undefined;
  #deadline: Deadline<Job> | undefined;
  #unwatchCaller = nothing;

  constructor(work: Work<T>, { id, client = '' }: JobOptions, arrival: number) {
    const caller = Promise.withResolvers<T>();
    this.id = id;
    this.client = client;
    this.arrival = arrival;
    this.promise = caller.promise;
    this.#caller = caller;
    this.#work = work;
  }

  get phase(): JobPhase {
    return this.#phase;
  }

  /** From arrival to start, or until now. */
  get waitedMs(): number {
    return (this.#startedMs ?? performance.now()) - this.#arrivedMs;
  }

  /** From start until now. */
  get ranMs(): number {
    return this.#startedMs === undefined ? 0 : performance.now() - this.#startedMs;
  }

  /** Starts the job's deadline, which is cleared when the job ends. */
  startDeadline(deadlines: Deadlines<Job>): void {
    this.#deadlines = deadlines;
    this.#deadline = deadlines.start(this);
  }

  /** Calls `onAbort` with the signal's reason if it fires before the job has ended. */
  watchCaller(signal: AbortSignal, onAbort: (reason: unknown) => void): void {
    const listener = () => onAbort(signal.reason);
    signal.addEventListener('abort', listener);
    this.#unwatchCaller = () => signal.removeEventListener('abort', listener);
  }

  becomeReady(): void {
    this.#phase = 'ready';
  }

  /** Resolves when the work has ended; `settle` then passes the outcome on. Never rejects. */
  async run(): Promise<void> {
    this.#phase = 'running';
    this.#startedMs = performance.now();
    this.#controller = new AbortController();
    try {
      const value = await this.#work(this.#controller.signal);
      this.#deliver = () => this.#caller.resolve(value);
    } catch (reason) {
      this.#deliver = () => this.#caller.reject(reason);
    }
  }

  /** Settles the promise with the outcome of the work, unless `fail` has already rejected it. */
  settle(): void {
    const deliver = this.#deliver;
    this.#release('ended');
    deliver();
  }

  /** Rejects the promise now. Work in progress is asked to stop. */
  fail(reason: unknown): void {
    this.#release(this.#phase === 'running' ? 'stopping' : 'ended');
    this.#caller.reject(reason);
    this.#controller?.abort(reason);
  }

  /** Drops all references, since a `ready` promise that never settles keeps the job in memory. */
  #release(phase: 'stopping' | 'ended'): void {
    this.#phase = phase;
    if (this.#deadline !== undefined) this.#deadlines?.clear(this.#deadline);
    this.#unwatchCaller();
    this.#deadline = undefined;
    this.#unwatchCaller = nothing;
    this.#deliver = nothing;
    this.#work = noWork;
  }
}
