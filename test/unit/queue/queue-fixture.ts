import type { TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { JobOptions } from '../../../server/queue/job.ts';
import type { QueueLimits } from '../../../server/queue/limits.ts';
import { RequestQueue } from '../../../server/queue/request-queue.ts';

export function createQueue(limits: Partial<QueueLimits> = {}): RequestQueue {
  return new RequestQueue({
    maxConcurrency: 1,
    maxQueueSize: 100,
    timeoutMs: 1000,
    policy: 'fifo',
    ...limits,
  });
}

/** Lets every promise that can settle do so. */
export async function turn(): Promise<void> {
  await setImmediate();
}

/** Makes all the queue's clocks stand still but for `t.mock.timers.tick`. */
export function stopClock(t: TestContext): void {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  t.mock.method(performance, 'now', () => Date.now());
}

/** Submits jobs that end when told to, and remembers what became of them. */
export class Desk {
  readonly queue: RequestQueue;
  /** The ids in order of start. */
  readonly started: string[] = [];
  readonly outcomes = new Map<string, unknown>();
  readonly signals = new Map<string, AbortSignal>();
  readonly #work = new Map<string, PromiseWithResolvers<string>>();

  constructor(queue: RequestQueue) {
    this.queue = queue;
  }

  submit(id: string, options: Omit<JobOptions, 'id'> = {}): void {
    const work = Promise.withResolvers<string>();
    const run = (signal: AbortSignal) => {
      this.started.push(id);
      this.signals.set(id, signal);
      this.#work.set(id, work);
      return work.promise;
    };
    this.queue.submit(run, { id, ...options }).then(
      (value) => this.outcomes.set(id, value),
      (reason) => this.outcomes.set(id, reason),
    );
  }

  submitAll(...ids: string[]): void {
    for (const id of ids) this.submit(id);
  }

  /** Lets running jobs end, one after the other. */
  async finish(...ids: string[]): Promise<void> {
    for (const id of ids) {
      this.#work.get(id)?.resolve(`${id} done`);
      await turn();
    }
  }

  async fail(id: string, reason: unknown): Promise<void> {
    this.#work.get(id)?.reject(reason);
    await turn();
  }

  /** Lets all that runs end until nothing does. */
  async finishAll(): Promise<void> {
    while (this.queue.stats.runningCount > 0) {
      await this.finish(...this.running());
    }
  }

  running(): string[] {
    return this.#idsOf('running');
  }

  waiting(): string[] {
    return this.#idsOf('waiting');
  }

  #idsOf(wanted: 'running' | 'waiting'): string[] {
    return this.queue.jobs().flatMap(({ id, state }) => (state === wanted ? [id] : []));
  }
}
