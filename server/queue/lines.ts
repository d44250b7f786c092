import type { Job } from './job.ts';
import type { QueuePolicy } from './limits.ts';
import { type Link, LinkedList } from './linked-list.ts';

/** The jobs that could start now, in the order in which they will: iterating shows that order. */
export interface Line extends Iterable<Job> {
  readonly isEmpty: boolean;
  /** Adds a job at its place by arrival, which is not the end for one that became ready late. */
  push(job: Job): void;
  /** Takes out the job whose turn it is. */
  shift(): Job | undefined;
  /** Takes out a job of this line that will not have its turn. */
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

/** One client's place in the round: its jobs, first come first served. */
interface Turn extends Link<Turn> {
  readonly client: string;
  readonly jobs: FifoLine;
}

/**
 * Clients take turns, one job each, however many a client has waiting. A client without a ready job
 * is not in the round; it joins at the end, so the others delay it by one job each at most.
 */
export class FairLine implements Line {
  readonly #round = new LinkedList<Turn>();
  readonly #turns = new Map<string, Turn>();

  get isEmpty(): boolean {
    return this.#round.first === undefined;
  }

  push(job: Job): void {
    const turn = this.#turns.get(job.client) ?? this.#join(job.client);
    turn.jobs.push(job);
  }

  shift(): Job | undefined {
    const turn = this.#round.first;
    if (turn === undefined) return undefined;
    const job = turn.jobs.shift();
    this.#round.remove(turn);
    if (turn.jobs.isEmpty) this.#turns.delete(turn.client);
    else this.#round.append(turn);
    return job;
  }

  remove(job: Job): void {
    const turn = this.#turns.get(job.client);
    if (turn === undefined) return;
    turn.jobs.remove(job);
    if (!turn.jobs.isEmpty) return;
    this.#round.remove(turn);
    this.#turns.delete(turn.client);
  }

  *[Symbol.iterator](): Generator<Job> {
    let round = [...this.#round].map(({ jobs }) => jobs[Symbol.iterator]());
    while (round.length > 0) {
      const results = round.map((jobs) => ({ jobs, result: jobs.next() }));
      for (const { result } of results) if (!result.done) yield result.value;
      round = results.filter(({ result }) => !result.done).map(({ jobs }) => jobs);
    }
  }

  #join(client: string): Turn {
    const turn = { client, jobs: new FifoLine(), previous: undefined, next: undefined };
    this.#turns.set(client, turn);
    this.#round.append(turn);
    return turn;
  }
}
