import PQueue from 'p-queue';
import type { QueuePolicy } from '../server/queue/lines.ts';
import { RequestQueue } from '../server/queue/request-queue.ts';

import { median, print } from './report.ts';

const ROUNDS = 3;
const JOBS = 200_000;
const FEW = 10;
const MANY = 100_000;
const timeoutMs = 300_000;
const clients = Array.from({ length: 10 }, (_, index) => `client ${index}`);

type Work = () => Promise<void>;
type Add = (work: Work) => Promise<unknown>;

/** Jobs per second of the main thread's CPU time, with 10 and with 100,000 jobs waiting. */
interface Pace {
  few: number;
  many: number;
}

export type QueueReport = Record<
  'fifo' | 'fair' | 'enter and leave' | 'p-queue' | 'p-queue with timeout',
  Pace
>;

/**
 * Measures the overhead of a job (to submit, run and settle it) while others wait, compared with p-queue.
 * p-queue has no job ids, statistics or deadlines from arrival; its timeout starts when the job does.
 * With 100,000 jobs, every queue is slowed by the garbage collector, which moves the live objects from
 * the young generation to the old one. "enter and leave" measures the line without that cost.
 */
export async function benchQueue(): Promise<QueueReport> {
  const report: QueueReport = {
    fifo: await measurePace((waiting) => throughput(addTo('fifo'), waiting)),
    fair: await measurePace((waiting) => throughput(addTo('fair'), waiting)),
    'enter and leave': await measurePace(enterAndLeave),
    'p-queue': await measurePace((waiting) => throughput(addToPQueue({}), waiting)),
    'p-queue with timeout': await measurePace((waiting) =>
      throughput(addToPQueue({ timeout: timeoutMs }), waiting),
    ),
  };
  printReport(report);
  const length = await measureLength();
  print(
    'fifo, 100,000 jobs in total',
    `${rate(length.few)} in 10,000 queues of 10`,
    `${rate(length.many)} in one queue`,

    ratio(length.many, length.few),
  );
  return report;
}

function printReport(report: QueueReport): void {
  const { few, many } = report['p-queue'];
  print('queue', 'jobs/s, 10 waiting', '100,000 waiting', 'ratio', 'to p-queue');
  for (const [name, pace] of Object.entries(report)) {
    print(
      name,
      rate(pace.few),
      rate(pace.many),
      ratio(pace.many, pace.few),
      `${ratio(pace.few, few)} and ${ratio(pace.many, many)}`,
    );
  }
}

function rate(value: number): string {
  return `${Math.round(value / 1000)}k`;
}

function ratio(value: number, to: number): string {
  return (value / to).toFixed(2);
}

function createQueue(policy: QueuePolicy): RequestQueue {
  return new RequestQueue({ maxConcurrency: 1, maxQueueSize: 2 * MANY, timeoutMs, policy });
}

function addTo(policy: QueuePolicy): Add {
  const queue = createQueue(policy);
  let count = 0;
  return (work) => {
    count += 1;
    return queue.submit(work, { id: `${count}`, client: clients[count % 10] ?? '' });
  };
}

function addToPQueue(options: { timeout?: number }): Add {
  const queue = new PQueue({ concurrency: 1, ...options });
  return (work) => queue.add(work);
}

/** Keeps `waiting` jobs in the queue: each job submits its replacement when it runs. */
function throughput(add: Add, waiting: number): Promise<number> {
  return throughputOf([add], waiting);
}

/** Keeps `waiting` jobs in each of several queues. */
async function throughputOf(queues: readonly Add[], waiting: number): Promise<number> {
  const [gate, done] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let left = JOBS;
  const results = queues.flatMap((add) => {
    const work = async () => {
      left -= 1;
      if (left > 0) void add(work);
      if (left === 0) done.resolve();
    };
    void add(() => gate.promise);
    return Array.from({ length: waiting }, () => add(work));
  });
  const elapsedMs = await measureMs(() => {
    gate.resolve();
    return done.promise;
  });
  await Promise.all(results);
  return elapsedMs;
}

/**
 * Measures the cost of a long line alone. There are 100,000 jobs in both cases, in 10,000 queues of 10 or
 * in a single one, so that the garbage collector has the same work.
 */
async function measureLength(): Promise<Pace> {
  const queues = () => Array.from({ length: MANY / FEW }, () => addTo('fifo'));
  const [few, many]: [number[], number[]] = [[], []];
  for (let round = 0; round <= ROUNDS; round += 1) {
    few.push(await throughputOf(queues(), FEW));
    many.push(await throughputOf([addTo('fifo')], MANY));
  }
  return toPace(few, many);
}

/** Each job joins the end of a line of `waiting` jobs, and leaves it when its caller disconnects. */
async function enterAndLeave(waiting: number): Promise<number> {
  const queue = createQueue('fifo');
  const work = async () => {};
  queue.pause();
  const others = Array.from({ length: waiting }, (_, index) =>
    queue.submit(work, { id: `${index}` }),
  );
  const elapsedMs = await measureMs(async () => {
    for (let count = 0; count < JOBS; count += 1) {
      const caller = new AbortController();
      const left = queue
        .submit(work, { id: `leaves ${count}`, signal: caller.signal })
        .catch(() => {});
      caller.abort();
      await left;
    }
  });
  queue.resume();
  await Promise.all(others);
  return elapsedMs;
}

/** Measures the CPU time of this thread, which depends less on other processes than wall-clock time. */
async function measureMs(run: () => Promise<void>): Promise<number> {
  const before = process.threadCpuUsage();
  await run();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}

/** The medians of a few rounds, after a warm-up round. */
async function measurePace(scenario: (waiting: number) => Promise<number>): Promise<Pace> {
  const [few, many]: [number[], number[]] = [[], []];
  for (let round = 0; round <= ROUNDS; round += 1) {
    few.push(await scenario(FEW));
    many.push(await scenario(MANY));
  }
  return toPace(few, many);
}

function toPace(few: readonly number[], many: readonly number[]): Pace {
  const pace = (samples: readonly number[]) => JOBS / (median(samples.slice(1)) / 1000);
  return { few: pace(few), many: pace(many) };
}

if (import.meta.main) await benchQueue();
