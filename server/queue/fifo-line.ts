import type { Job } from './job.ts';
import type { Line } from './line.ts';
import { LinkedList } from './linked-list.ts';

/** First come, first served: by arrival, whenever a job became ready. */
export class FifoLine implements Line {
  readonly #jobs = new LinkedList<Job>();

  get isEmpty(): boolean {
    return this.#jobs.first === undefined;
  }

  /** Passes only the jobs that arrived later, so a job that was always ready costs no step. */
  push(job: Job): void {
    let before = this.#jobs.last;
    while (before !== undefined && before.arrival > job.arrival) before = before.previous;
    this.#jobs.insertAfter(before, job);
  }

  shift(): Job | undefined {
    const job = this.#jobs.first;
    if (job !== undefined) this.#jobs.remove(job);
    return job;
  }

  remove(job: Job): void {
    this.#jobs.remove(job);
  }

  [Symbol.iterator](): Iterator<Job> {
    return this.#jobs[Symbol.iterator]();
  }
}
