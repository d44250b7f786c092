import type { Job } from './job.ts';

/** How loaded a queue is. */
export interface QueueStats {
  /** Takes jobs and is not paused. */
  running: boolean;
  /** Jobs that wait. */
  queueSize: number;
  maxQueueSize: number;
  /** Jobs that wait or run. */
  activeRequests: number;
  maxConcurrency: number;
  /** Jobs that have a slot, those included that were told to stop and have not yet. */
  runningCount: number;
}

/** A job as it is shown. Times are epoch milliseconds. */
export interface JobEntry {
  id: string;
  client: string;
  state: 'waiting' | 'running';
  arrivedAt: number;
  startedAt?: number;
}

/** The running jobs, then the waiting in the order of the line, those not ready yet among them. */
export function listJobs(
  running: Iterable<Job>,
  line: Iterable<Job>,
  all: Iterable<Job>,
): JobEntry[] {
  const loading = [...all].filter(({ phase }) => phase === 'loading');
  return [...running, ...mergeByArrival(line, loading)].map(toEntry);
}

/** Keeps the line's order, and puts each of the others before the first that arrived after it. */
function* mergeByArrival(line: Iterable<Job>, others: Job[]): Generator<Job> {
  let next = 0;
  for (const job of line) {
    let other = others[next];
    while (other !== undefined && other.arrival < job.arrival) {
      yield other;
      other = others[++next];
    }
    yield job;
  }
  yield* others.slice(next);
}

function toEntry({ id, client, arrivedAt, startedAt }: Job): JobEntry {
  return startedAt === undefined
    ? { id, client, state: 'waiting', arrivedAt }
    : { id, client, state: 'running', arrivedAt, startedAt };
}
