import { Deadlines } from './deadlines.ts';
import {
  JobCancelledError,
  QueueClosedError,
  QueueFullError,
  QueueTimeoutError,
} from './errors.ts';
import { Job, type JobOptions, type Work } from './job.ts';
import { checkLimits, Pace, type QueueLimits } from './limits.ts';
import { createLine, type Line } from './lines.ts';
import { type JobEntry, listJobs, type QueueStats } from './view.ts';

/**
 * Runs jobs a few at a time, lets a limited number wait in line, and gives each one deadline.
 *
 * A slot is given on only when the work that had it has really ended, whatever its caller was told
 * in the meantime. No slot is idle while a job that could start waits, unless the line is paused.
 */
export class RequestQueue {
  #limits: QueueLimits;
  /** Those of jobs that come now. A change of the limit begins new ones; jobs keep theirs. */
  #deadlines: Deadlines<Job>;
  /** The jobs that wait and are ready; the others that wait are in no line. */
  #line: Line;
  /** Every job that waits or has a slot, by id, in order of arrival. */
  readonly #jobs = new Map<string, Job>();
  /** Every job that has a slot, in order of start. */
  readonly #running = new Set<Job>();
  #arrivals = 0;
  #isPaused = false;
  #isClosed = false;
  readonly #empty = Promise.withResolvers<void>();
  readonly #pace = new Pace();
  readonly #notice = new ChangeNotice();
  readonly #now: () => number;

  /** `now` is the clock of the deadlines, in ms. Throws a TypeError when a limit makes no sense. */
  constructor(limits: QueueLimits, now = () => performance.now()) {
    checkLimits(limits);
    this.#now = now;
    this.#limits = { ...limits };
    this.#deadlines = this.#createDeadlines(limits.timeoutMs);
    this.#line = createLine(limits.policy);
  }

  /** Exact at every instant. The names are those of the seed's `/v1/queue/stats`. */
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

  /** Every job in the order of the line, those that run first. */
  jobs(): JobEntry[] {
    return listJobs(this.#running, this.#line, this.#jobs.values());
  }

  /** Whether a job with this id waits or has a slot, so that no other may be submitted with it. */
  has(id: string): boolean {
    return this.#jobs.has(id);
  }

  /** Calls the listener after changes, once for all that were made in one go. Returns the unsubscribe. */
  onChange(listener: () => void): () => void {
    return this.#notice.onChange(listener);
  }

  /**
   * How long a job that comes now would wait, by the latest pace. Until the first has ended, as if
   * each took as long as the oldest has so far. Undefined before the first has started.
   */
  estimatedWaitMs(): number | undefined {
    const [oldest] = this.#running;
    const meanMs = this.#pace.meanMs ?? oldest?.ranMs;
    if (meanMs === undefined) return undefined;
    if (this.#canStart) return 0;
    return (meanMs * (this.#waitingCount + 1)) / this.#limits.maxConcurrency;
  }

  /**
   * Runs the work when its turn comes and settles as it does, or rejects before that: with
   * `QueueFullError` or `QueueClosedError` at once, with `QueueTimeoutError`, `JobCancelledError`,
   * the signal's reason or the failure of `ready` as they come.
   */
  submit<T>(work: Work<T>, options: JobOptions): Promise<T> {
    const { ready, signal } = options;
    try {
      this.#admit(options);
    } catch (reason) {
      // the job never runs, so nothing else handles this rejection
      if (ready instanceof Promise) ready.catch(() => {});
      return Promise.reject(reason);
    }
    const job = new Job(work, options, this.#arrivals++);
    this.#jobs.set(job.id, job);
    this.#notice.announce();
    job.startDeadline(this.#deadlines);
    if (signal !== undefined) job.watchCaller(signal, (reason) => this.#end(job, reason));
    if (ready === undefined) this.#enter(job);
    else this.#enterWhen(typeof ready === 'function' ? ready() : ready, job);
    return job.promise;
  }

  /** Ends a job as if its caller had gone. Whether there was one that had not ended yet. */
  cancel(id: string, reason?: unknown): boolean {
    const job = this.#jobs.get(id);
    if (job === undefined || job.phase === 'stopping') return false;
    this.#end(job, new JobCancelledError(id, reason));
    return true;
  }

  /**
   * Applies at once, and takes nothing from a job that was admitted: a lower concurrency lets the
   * running ones finish, a lower queue size puts none out, deadlines stay as they were at arrival.
   */
  setLimits(limits: Partial<QueueLimits>): void {
    const changed = { ...this.#limits, ...limits };
    checkLimits(changed);
    const { policy, timeoutMs } = this.#limits;
    this.#limits = changed;
    if (changed.timeoutMs !== timeoutMs) this.#deadlines = this.#createDeadlines(changed.timeoutMs);
    if (changed.policy !== policy) this.#reorder();
    this.#fill();
    this.#notice.announce();
  }

  /** Holds the line: running jobs go on, none starts, deadlines go on counting. */
  pause(): void {
    this.#isPaused = true;
    this.#notice.announce();
  }

  resume(): void {
    this.#isPaused = false;
    this.#fill();
    this.#notice.announce();
  }

  /**
   * Takes no more jobs, for good, and resolves when all it has have ended. It lifts a pause, so that
   * they can; a later pause (a runtime restarts in the middle of it) holds the line again.
   */
  drain(): Promise<void> {
    this.#isClosed = true;
    this.resume();
    this.#resolveIfEmpty();
    return this.#empty.promise;
  }

  /** Takes no more jobs, for good, and ends all it has. Resolves when every slot is really free. */
  close(reason: unknown = new QueueClosedError()): Promise<void> {
    this.#isClosed = true;
    this.#notice.announce();
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

  /** Whether a job that is ready when it comes starts at once. It must not overtake one in line. */
  get #canStart(): boolean {
    return this.#freeSlots > 0 && this.#line.isEmpty;
  }

  /** Throws the reason to refuse a job. */
  #admit({ id, signal, ready }: JobOptions): void {
    if (this.#isClosed) throw new QueueClosedError();
    if (this.#jobs.has(id)) throw new TypeError(`Expected a new job id, got ${id}, now in use.`);
    signal?.throwIfAborted();
    if (ready === undefined && this.#canStart) return;
    const { maxQueueSize } = this.#limits;
    // Those that load while slots are free will have these: they do not take the others' places.
    if (this.#waitingCount - this.#freeSlots >= maxQueueSize)
      throw new QueueFullError(maxQueueSize);
  }

  #createDeadlines(timeoutMs: number): Deadlines<Job> {
    const end = (job: Job) =>
      this.#end(job, new QueueTimeoutError(timeoutMs, Math.round(job.waitedMs)));
    return new Deadlines(timeoutMs, end, this.#now);
  }

  #enterWhen(ready: Promise<unknown>, job: Job): void {
    const enter = () => this.#enter(job);
    ready.then(enter, (reason) => this.#end(job, reason));
  }

  /** Puts a job in line that has what it needs, unless it has ended in the meantime. */
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
    this.#notice.announce();
    const outcome = await job.start();
    this.#running.delete(job);
    this.#pace.add(job.ranMs);
    this.#forget(job);
    job.settle(outcome);
    this.#fill();
  }

  /** Ends a job before its work has. One that waits is gone at once; a running one keeps its slot. */
  #end(job: Job, reason: unknown): void {
    const { phase } = job;
    if (phase === 'stopping' || phase === 'ended') return;
    if (phase === 'ready') this.#line.remove(job);
    if (phase !== 'running') this.#forget(job);
    job.fail(reason);
  }

  #forget(job: Job): void {
    this.#jobs.delete(job.id);
    this.#notice.announce();
    this.#resolveIfEmpty();
  }

  #resolveIfEmpty(): void {
    if (this.#isClosed && this.#jobs.size === 0) this.#empty.resolve();
  }

  /** Lets the jobs in line join one of the policy that now holds, in order of arrival. */
  #reorder(): void {
    this.#line = createLine(this.#limits.policy);
    for (const job of this.#jobs.values()) if (job.phase === 'ready') this.#line.push(job);
  }
}

/** Tells listeners that something has changed, once for all the changes made in one go. */
export class ChangeNotice {
  readonly #listeners = new Set<() => void>();
  #isDue = false;

  /** Returns the unsubscribe. */
  onChange(listener: () => void): () => void {
    const tell = () => listener(); // so that one function subscribed twice is two subscriptions
    this.#listeners.add(tell);
    return () => void this.#listeners.delete(tell);
  }

  /** Listeners are called in a microtask: never inside the change, always before the next event. */
  announce(): void {
    if (this.#isDue || this.#listeners.size === 0) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      for (const tell of [...this.#listeners]) tell();
    });
  }
}
