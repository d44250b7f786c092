import type { Job } from './job.ts';
import { type Link, LinkedList } from './linked-list.ts';

/** Which job starts next: `fifo`, the one that arrived first; `fair`, clients take turns. */
export type QueuePolicy = 'fifo' | 'fair';

/** The jobs that can start, in the order in which they will. */
export interface Line {
  readonly isEmpty: boolean;
  /** Inserts a job by its arrival, so one that became ready late may go before others. */
  push(job: Job): void;
  /** Removes and returns the next job. */
  shift(): Job | undefined;
  /** Removes a job of this line. */
  remove(job: Job): void;
}

export function createLine(policy: QueuePolicy): Line {
  switch (policy) {
    case 'fifo':
      return new FifoLine();
    case 'fair':
      return new FairLine();
    default:
      return policy satisfies never;
  }
}

/** First come, first served, by arrival. */
class FifoLine implements Line {
  readonly #jobs = new LinkedList<Job>();

  get isEmpty(): boolean {
    return this.#jobs.first === undefined;
  }

  /** Searches from the end: only a job that became ready late has others to pass. */
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
}

/** The line of one client in a `FairLine`. */
interface ClientLine extends Link<ClientLine> {
  readonly client: string;
  readonly jobs: FifoLine;
}

/**
 * Round robin: each client in turn starts one job, however many it has waiting. A client joins the end
 * of the round with its first ready job, so each other client delays it by one job at most.
 */
class FairLine implements Line {
  readonly #round = new LinkedList<ClientLine>();
  readonly #byClient = new Map<string, ClientLine>();

  get isEmpty(): boolean {
    return this.#round.first === undefined;
  }

  push(job: Job): void {
    const line = this.#byClient.get(job.client) ?? this.#join(job.client);
    line.jobs.push(job);
  }

  shift(): Job | undefined {
    const line = this.#round.first;
    if (line === undefined) return undefined;
    const job = line.jobs.shift();
    this.#round.remove(line);
    if (line.jobs.isEmpty) this.#byClient.delete(line.client);
    else this.#round.append(line);
    return job;
  }

  remove(job: Job): void {
    const line = this.#byClient.get(job.client);
    if (line === undefined) return;
    line.jobs.remove(job);
    if (!line.jobs.isEmpty) return;
    this.#round.remove(line);
    this.#byClient.delete(line.client);
  }

  #join(client: string): ClientLine {
    const line = { client, jobs: new FifoLine(), previous: undefined, next: undefined };
    this.#byClient.set(client, line);
    this.#round.append(line);
    return line;
  }
}
