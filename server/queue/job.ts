import type { Deadline, Deadlines } from './deadlines.ts';
import type { Link } from './linked-list.ts';

/** The work of a job. It is to end soon after the signal fires: until then it holds its slot. */
export type Work<T> = (signal: AbortSignal) => Promise<T>;

export interface JobOptions {
  /** Unique among the jobs that wait or run. */
  id: string;
  /** Whose job it is, for the fair policy. */
  client?: string;
  /** Fires when the caller has gone. */
  signal?: AbortSignal;
  /**
   * Resolves once the job can start; until then, other jobs overtake it. A function is called when the
   * job is admitted.
   */
  ready?: Promise<unknown> | (() => Promise<unknown>);
}

/** How the work ended; calling it tells the caller, unless it was told of an earlier end. */
type Outcome = () => void;

/**
 * loading: waits, and what it needs is not ready. ready: waits for its turn. running: has a slot.
 * stopping: the caller was told that it has ended, its work still holds the slot. ended: no more.
 */
type JobPhase = 'loading' | 'ready' | 'running' | 'stopping' | 'ended';

/** What settles the promise of a job. */
interface Caller<T> {
  resolve(value: T): void;
  reject(reason: unknown): void;
}

const nothing = () => {};
const noWork = async () => {
  throw new TypeError('The job has ended.');
};

/** One submitted piece of work, and the promise that its caller holds. */
export class Job<T = unknown> implements Link<Job> {
  readonly id: string;
  readonly client: string;
  /** Its number in the order of arrival. */
  readonly arrival: number;
  /** Epoch milliseconds, for people; durations are measured on a clock that nobody sets. */
  readonly arrivedAt = Date.now();
  readonly promise: Promise<T>;
  previous: Job | undefined;
  next: Job | undefined;

  #phase: JobPhase = 'loading';
  readonly #arrivedMs = performance.now();
  #startedMs: number | undefined;
  #work: Work<T>;
  #controller: AbortController | undefined;
  #deadlines: Deadlines<Job> | undefined;
  #deadline: Deadline<Job> | undefined;
  #unwatchCaller = nothing;
  readonly #caller: Caller<T>;

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

  /** Epoch milliseconds. */
  get startedAt(): number | undefined {
    return this.#startedMs === undefined ? undefined : this.arrivedAt + Math.round(this.waitedMs);
  }

  /** From the arrival to the start, or until now. */
  get waitedMs(): number {
    return (this.#startedMs ?? performance.now()) - this.#arrivedMs;
  }

  /** From the start until now. */
  get ranMs(): number {
    return this.#startedMs === undefined ? 0 : performance.now() - this.#startedMs;
  }

  startDeadline(deadlines: Deadlines<Job>): void {
    this.#deadlines = deadlines;
    this.#deadline = deadlines.start(this);
  }

  /** Calls `onGone` with the signal's reason if it fires before the job ends. */
  watchCaller(signal: AbortSignal, onGone: (reason: unknown) => void): void {
    const listener = () => onGone(signal.reason);
    signal.addEventListener('abort', listener);
    this.#unwatchCaller = () => signal.removeEventListener('abort', listener);
  }

  becomeReady(): void {
    this.#phase = 'ready';
  }

  /** Runs the work. Never rejects: resolves with what to `settle` the job when that has really ended. */
  async start(): Promise<Outcome> {
    this.#phase = 'running';
    this.#startedMs = performance.now();
    this.#controller = new AbortController();
    try {
      const value = await this.#work(this.#controller.signal);
      return () => this.#caller.resolve(value);
    } catch (reason) {
      return () => this.#caller.reject(reason);
    }
  }

  /** The work has ended: the caller is told how. */
  settle(outcome: Outcome): void {
    this.#letGo('ended');
    outcome();
  }

  /** The job ends before its work has: the caller is told now, work that runs is asked to stop. */
  fail(reason: unknown): void {
    this.#letGo(this.#phase === 'running' ? 'stopping' : 'ended');
    this.#caller.reject(reason);
    this.#controller?.abort(reason);
  }

  /** Drops all that it holds: a caller's `ready` that never settles keeps the job itself alive. */
  #letGo(phase: JobPhase): void {
    this.#phase = phase;
    if (this.#deadline !== undefined) this.#deadlines?.clear(this.#deadline);
    this.#deadline = undefined;
    this.#unwatchCaller();
    this.#unwatchCaller = nothing;
    this.#work = noWork;
  }
}
