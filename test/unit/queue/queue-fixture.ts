import type { TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { JobOptions } from '../../../server/queue/job.ts';
import { type QueueLimits, RequestQueue } from '../../../server/queue/request-queue.ts';

export function createQueue(limits: Partial<QueueLimits> = {}): RequestQueue {
  return new RequestQueue({
    maxConcurrency: 1,
    maxQueueSize: 100,
    timeoutMs: 1000,
    policy: 'fifo',
    ...limits,
  });
}

/** Lets all promises settle that can. */
export async function turn(): Promise<void> {
  await setImmediate();
}

/** Stops the queue's clocks; they advance only with `t.mock.timers.tick`. */
export function stopClock(t: TestContext): void {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  t.mock.method(performance, 'now', () => Date.now());
}

/** Submits jobs that end when the test says so, and records what happens to them. */
export class TestJobs {
  readonly queue: RequestQueue;
  /** The ids in order of start. */
  readonly started: string[] = [];
  readonly outcomes = new Map<string, unknown>();
  readonly signals = new Map<string, AbortSignal>();
  readonly #submitted: string[] = [];
  readonly #callers = new Map<string, AbortController>();
  readonly #work = new Map<string, PromiseWithResolvers<string>>();

  constructor(queue: RequestQueue) {
    this.queue = queue;
  }

  submit(id: string, options: Omit<JobOptions, 'id'> = {}): void {
    const work = Promise.withResolvers<string>();
    const caller = new AbortController();
    this.#submitted.push(id);
    this.#callers.set(id, caller);
    const run = (signal: AbortSignal) => {
      this.started.push(id);
      this.signals.set(id, signal);
      this.#work.set(id, work);
      return work.promise;
    };
    this.queue.submit(run, { id, signal: caller.signal, ...options }).then(
      (value) => this.outcomes.set(id, value),
      (reason) => this.outcomes.set(id, reason),
    );
  }

  submitAll(...ids: string[]): void {
    for (const id of ids) this.submit(id);
  }

  /** Aborts the job's signal, unless it was submitted with a signal. */
  cancel(id: string, reason: unknown = new Error('cancelled')): void {
    this.#callers.get(id)?.abort(reason);
  }

  /** Lets running jobs end, one after the other. */
  async finish(...ids: string[]): Promise<void> {
    for (const id of ids) {
      this.#work.get(id)?.resolve(`${id} done`);
      this.#work.delete(id);
      await turn();
    }
  }

  async fail(id: string, reason: unknown): Promise<void> {
    this.#work.get(id)?.reject(reason);
    this.#work.delete(id);
    await turn();
  }

  /** Lets running jobs end until no more start. */
  async finishAll(): Promise<void> {
    while (this.queue.stats.runningCount > 0) {
      await this.finish(...this.running());
    }
  }

  /** The ids of the jobs that hold a slot, in order of start. */
  running(): string[] {
    return this.started.filter((id) => this.#work.has(id));
  }

  /** The ids of the waiting jobs, in order of arrival. */
  waiting(): string[] {
    return this.#submitted.filter((id) => !this.started.includes(id) && !this.outcomes.has(id));
  }
}
