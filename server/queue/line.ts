import { FairLine } from './fair-line.ts';
import { FifoLine } from './fifo-line.ts';
import type { Job } from './job.ts';
import type { QueuePolicy } from './queue-limits.ts';

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
