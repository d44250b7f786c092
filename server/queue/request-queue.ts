import { Deadlines } from './deadlines.ts';
import { QueueClosedError, QueueFullError, QueueTimeoutError } from './errors.ts';
import { Job, type JobOptions, type Work } from './job.ts';
import { createLine, type Line, type QueuePolicy } from './lines.ts';

export interface QueueLimits {
  /** Jobs that may run concurrently, at least 1. */
  maxConcurrency: number;
  /** Jobs that may wait, not counting those that are loading for a free slot. 0 allows none. */
  maxQueueSize: number;
  /** From a job's arrival to its end, waiting and running together. */
  timeoutMs: number;
  policy: QueuePolicy;
}

/** The queue's load, in the names of the seed's `/v1/queue/stats`. */
export interface QueueStats {
  /** Whether it accepts jobs and is not paused. */
  running: boolean;
  /** Waiting jobs. */
  queueSize: number;
  maxQueueSize: number;
  /** Waiting and running jobs. */
  activeRequests: number;
  maxConcurrency: number;
  /** Jobs that hold a slot, including those that have been asked to stop. */
  runningCount: number;
}

/**
 * Runs a few jobs at a time and lets a limited number wait; each job has one deadline.
 *
 * A slot is reused only when its job's work has really ended, even if the caller was rejected earlier.
 * No slot stays free while a ready job waits, unless the queue is paused.
 */
export class RequestQueue {
  #limits: QueueLimits;
  /** The waiting jobs that are ready to start. */
  #line: Line;
  /** All waiting and running jobs by id, in order of arrival. */
  readonly #jobs = new Map<string, Job>();
  /** The jobs that hold a slot, in order of start. */
  readonly #running = new Set<Job>();
  #arrivals = 0;
  #isPaused = false;
  #isClosed = false;
  readonly #empty = Promise.withResolvers<void>();
  #meanRunMs: number | undefined;
  readonly #changes = new ChangeNotifier();
  readonly #now: () => number;
  /** The deadlines of new jobs. */
  #deadlines: Deadlines<Job>;

  /** `now` is the clock for deadlines, in ms. Throws a TypeError if a limit is invalid. */
  constructor(limits: QueueLimits, now = () => performance.now()) {
    checkLimits(limits);
    this.#limits = { ...limits };
    this.#line = createLine(limits.policy);
    this.#now = now;
    this.#deadlines = this.#createDeadlines(limits.timeoutMs);
  }

  /** Always exact. */
  get stats(): QueueStats {
    return {
      running: !this.#isClosed && !this.#isPaused,
      queueSize: this.#waitingCount,
      maxQueueSize: this.#limits.maxQueueSize,
      activeRequests: this.#jobs.size,
      maxConcurrency: this.#limits.maxConcurrency,
      runningCount: this.#running.size,
    };
  }

  /** Whether a job with this id is waiting or running. */
  has(id: string): boolean {
    return this.#jobs.has(id);
  }

  /** Calls the listener after changes, once per batch. Returns the unsubscribe. */
  onChange(listener: () => void): () => void {
    return this.#changes.subscribe(listener);
  }

  /**
   * How long a new job would wait, judging by the mean run time of recent jobs, or before any has
   * ended, by how long the oldest has been running. Undefined if no job has started yet.
   */
  estimatedWaitMs(): number | undefined {
    const [oldest] = this.#running;
    const meanMs = this.#meanRunMs ?? oldest?.ranMs;
    if (meanMs === undefined) return undefined;
    if (this.#canStartNow) return 0;
    return (meanMs * (this.#waitingCount + 1)) / this.#limits.maxConcurrency;
  }

  /**
   * Runs the work when its turn comes, and settles with its outcome. Rejects earlier with
   * `QueueFullError` or `QueueClosedError` if the job is not admitted, `QueueTimeoutError` after the
   * deadline, the signal's reason, or the reason why `ready` rejected.
   */
  submit<T>(work: Work<T>, options: JobOptions): Promise<T> {
    const { ready, signal } = options;
    try {
      this.#admit(options);
    } catch (reason) {
      // No job will handle a rejection of this promise.
      if (ready instanceof Promise) ready.catch(() => {});
      return Promise.reject(reason);
    }
    const job = new Job(work, options, this.#arrivals++);
    this.#jobs.set(job.id, job);
    this.#changes.announce();
    job.startDeadline(this.#deadlines);
    if (signal !== undefined) job.watchCaller(signal, (reason) => this.#end(job, reason));
    if (ready === undefined) this.#enter(job);
    else this.#enterWhen(typeof ready === 'function' ? ready() : ready, job);
    return job.promise;
  }

  /**
   * Takes effect immediately, but not at the expense of admitted jobs: running and waiting jobs stay
   * when a limit is lowered, and keep the deadline that they were given on arrival.
   */
  setLimits(limits: Partial<QueueLimits>): void {
    const changed = { ...this.#limits, ...limits };
    checkLimits(changed);
    const { policy, timeoutMs } = this.#limits;
    this.#limits = changed;
    if (changed.timeoutMs !== timeoutMs) this.#deadlines = this.#createDeadlines(changed.timeoutMs);
    if (changed.policy !== policy) this.#rebuildLine();
    this.#fill();
    this.#changes.announce();
  }

  /** Starts no more jobs until `resume`. Running jobs continue, and deadlines still apply. */
  pause(): void {
    this.#isPaused = true;
    this.#changes.announce();
  }

  resume(): void {
    this.#isPaused = false;
    this.#fill();
    this.#changes.announce();
  }

  /**
   * Accepts no more jobs, and resolves when all jobs have ended. Resumes a paused queue so that they
   * can, but it may be paused again, for example while the runtime restarts.
   */
  drain(): Promise<void> {
    this.#isClosed = true;
    this.resume();
    this.#resolveIfEmpty();
    return this.#empty.promise;
  }

  /** Accepts no more jobs and rejects all it has. Resolves when every slot is free. */
  close(reason: unknown = new QueueClosedError()): Promise<void> {
    this.#isClosed = true;
    this.#changes.announce();
    for (const job of [...this.#jobs.values()]) this.#end(job, reason);
    this.#resolveIfEmpty();
    return this.#empty.promise;
  }

  get #waitingCount(): number {
    return this.#jobs.size - this.#running.size;
  }

  get #freeSlots(): number {
    return this.#isPaused ? 0 : Math.max(0, this.#limits.maxConcurrency - this.#running.size);
  }

  /** Whether a new job that is ready would start immediately, without overtaking another. */
  get #canStartNow(): boolean {
    return this.#freeSlots > 0 && this.#line.isEmpty;
  }

  /** Throws the reason to refuse a job. */
  #admit({ id, signal, ready }: JobOptions): void {
    if (this.#isClosed) throw new QueueClosedError();
    if (this.#jobs.has(id)) throw new TypeError(`A job with the id ${id} is already in the queue.`);
    signal?.throwIfAborted();
    if (ready === undefined && this.#canStartNow) return;
    const { maxQueueSize } = this.#limits;
    // Jobs that are loading for a free slot do not count: they will not have to wait for others.
    if (this.#waitingCount - this.#freeSlots >= maxQueueSize)
      throw new QueueFullError(maxQueueSize);
  }

  #enterWhen(ready: Promise<unknown>, job: Job): void {
    const enter = () => this.#enter(job);
    ready.then(enter, (reason) => this.#end(job, reason));
  }

  /** Adds a job that can start to the line, unless it has ended in the meantime. */
  #enter(job: Job): void {
    if (job.phase !== 'loading') return;
    job.becomeReady();
    this.#line.push(job);
    this.#fill();
  }

  #fill(): void {
    while (this.#freeSlots > 0) {
      const job = this.#line.shift();
      if (job === undefined) return;
      void this.#run(job);
    }
  }

  /** Never rejects. The work may call back into the queue before this returns. */
  async #run(job: Job): Promise<void> {
    this.#running.add(job);
    this.#changes.announce();
    await job.run();
    this.#running.delete(job);
    this.#meanRunMs = updateMean(this.#meanRunMs, job.ranMs);
    this.#forget(job);
    job.settle();
    this.#fill();
  }

  /** Rejects a job before its work has ended. A running job keeps its slot until then. */
  #end(job: Job, reason: unknown): void {
    const { phase } = job;
    if (phase === 'stopping' || phase === 'ended') return;
    if (phase === 'ready') this.#line.remove(job);
    if (phase !== 'running') this.#forget(job);
    job.fail(reason);
  }

  #createDeadlines(timeoutMs: number): Deadlines<Job> {
    return new Deadlines(timeoutMs, this.#now, (job) =>
      this.#end(job, new QueueTimeoutError(timeoutMs, Math.round(job.waitedMs))),
    );
  }

  #forget(job: Job): void {
    this.#jobs.delete(job.id);
    this.#changes.announce();
    this.#resolveIfEmpty();
  }

  #resolveIfEmpty(): void {
    if (this.#isClosed && this.#jobs.size === 0) this.#empty.resolve();
  }

  /** Moves the ready jobs, in order of arrival, to a line with the current policy. */
  #rebuildLine(): void {
    this.#line = createLine(this.#limits.policy);
    for (const job of this.#jobs.values()) if (job.phase === 'ready') this.#line.push(job);
  }
}

/** Throws a TypeError for the first invalid limit. */
function checkLimits({ maxConcurrency, maxQueueSize, timeoutMs, policy }: QueueLimits): void {
  const check = (isValid: boolean, name: keyof QueueLimits, expected: string, value: unknown) => {
    if (!isValid) throw new TypeError(`Expected \`${name}\` to be ${expected}, got ${value}.`);
  };
  const isCount = (value: number, min: number) => Number.isSafeInteger(value) && value >= min;
  const isDuration = Number.isFinite(timeoutMs) && timeoutMs > 0;
  const isPolicy = policy === 'fifo' || policy === 'fair';
  check(isCount(maxConcurrency, 1), 'maxConcurrency', 'an integer of at least 1', maxConcurrency);
  check(isCount(maxQueueSize, 0), 'maxQueueSize', 'an integer of at least 0', maxQueueSize);
  check(isDuration, 'timeoutMs', 'a finite number above 0', timeoutMs);
  check(isPolicy, 'policy', '"fifo" or "fair"', policy);
}

/** An exponentially weighted mean, dominated by the last ten values or so. */
export function updateMean(mean: number | undefined, value: number): number {
  return mean === undefined ? value : mean + 0.2 * (value - mean);
}

/** Calls listeners after changes, once for all changes made in the same tick. */
export class ChangeNotifier {
  readonly #listeners = new Set<() => void>();
  #isScheduled = false;

  /** Returns the unsubscribe. */
  subscribe(listener: () => void): () => void {
    const call = () => listener(); // a function subscribed twice is called twice
    this.#listeners.add(call);
    return () => void this.#listeners.delete(call);
  }

  /** Calls the listeners in a microtask: after the change is complete, before the next event. */
  announce(): void {
    if (this.#isScheduled || this.#listeners.size === 0) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      for (const call of [...this.#listeners]) call();
    });
  }
}
