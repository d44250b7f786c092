import type { Deadlines } from './deadlines.ts';
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
  /** What the job needs before it may start. Others pass it in the line until this resolves. */
  ready?: Promise<unknown>;
}

/** How the work ended; calling it tells the caller, unless it was told of an earlier end. */
type Outcome = () => void;

/**
 * loading: waits, and what it needs is not ready. ready: waits for its turn. running: has a slot.
 * stopping: the caller was told that it has ended, its work still holds the slot. ended: no more.
 */
type JobPhase = 'loading' | 'ready' | 'running' | 'stopping' | 'ended';

const nothing = () => {};
const noAttempt = async () => nothing;

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
  #attempt: (signal: AbortSignal) => Promise<Outcome>;
  #controller: AbortController | undefined;
  #stopDeadline = nothing;
  #unwatchCaller = nothing;
  readonly #reject: (reason: unknown) => void;

  constructor(work: Work<T>, { id, client = '' }: JobOptions, arrival: number) {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.id = id;
    this.client = client;
    this.arrival = arrival;
    this.promise = promise;
    this.#reject = reject;
    this.#attempt = async (signal) => {
      try {
        const value = await work(signal);
        return () => resolve(value);
      } catch (reason) {
        return () => reject(reason);
      }
    };
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
    this.#stopDeadline = deadlines.start(this);
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
  start(): Promise<Outcome> {
    this.#phase = 'running';
    this.#startedMs = performance.now();
    this.#controller = new AbortController();
    return this.#attempt(this.#controller.signal);
  }

  /** The work has ended: the caller is told how. */
  settle(outcome: Outcome): void {
    this.#letGo('ended');
    outcome();
  }

  /** The job ends before its work has: the caller is told now, work that runs is asked to stop. */
  fail(reason: unknown): void {
    this.#letGo(this.#phase === 'running' ? 'stopping' : 'ended');
    this.#reject(reason);
    this.#controller?.abort(reason);
  }

  /** Drops all that it holds: a caller's `ready` that never settles keeps the job itself alive. */
  #letGo(phase: JobPhase): void {
    this.#phase = phase;
    this.#stopDeadline();
    this.#unwatchCaller();
    this.#stopDeadline = nothing;
    this.#unwatchCaller = nothing;
    this.#attempt = noAttempt;
  }
}
