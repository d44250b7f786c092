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

/** Jobs per second of the main thread's processor time, with 10 and with 100,000 waiting. */
interface Pace {
  few: number;
  many: number;
}

export type QueueReport = Record<
  'fifo' | 'fair' | 'enter and leave' | 'p-queue' | 'p-queue with timeout',
  Pace
>;

/**
 * What a job costs beyond its work (to submit, run and settle it) while others wait, beside the same
 * for p-queue. p-queue knows neither ids nor statistics nor a deadline from arrival; the timeout that
 * it offers runs from the start of a job. With 100,000 the collector moves all that lives from the
 * young generation to the old, for every queue; "enter and leave" shows the line without that.
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
  const { few, many } = report['p-queue'];
  const rate = (value: number) => `${Math.round(value / 1000)}k`;
  const ratio = (value: number, to: number) => (value / to).toFixed(2);
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
  const length = await measureLength();
  print(
    'fifo, 100,000 alive in both',
    `${rate(length.few)} in 10,000 lines of 10`,
    `${rate(length.many)} in one line`,
    ratio(length.many, length.few),
  );
  return report;
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

/** Keeps so many waiting: each job that runs submits the one that takes its place. */
function throughput(add: Add, waiting: number): Promise<number> {
  return throughputOf([add], waiting);
}

/** The same, with so many waiting in each of several lines that take turns. */
async function throughputOf(lines: readonly Add[], waiting: number): Promise<number> {
  const [gate, done] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let left = JOBS;
  const lined = lines.flatMap((add) => {
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
  await Promise.all(lined);
  return elapsedMs;
}

/**
 * What the length of the line alone costs: 100,000 jobs are alive in both, in many lines of 10 or in
 * one. Whoever holds so many, the collector has them all to move.
 */
async function measureLength(): Promise<Pace> {
  const lines = () => Array.from({ length: MANY / FEW }, () => addTo('fifo'));
  const [few, many]: [number[], number[]] = [[], []];
  for (let round = 0; round <= ROUNDS; round += 1) {
    few.push(await throughputOf(lines(), FEW));
    many.push(await throughputOf([addTo('fifo')], MANY));
  }
  return toPace(few, many);
}

/** Each job enters at the end of a line of so many and leaves it as its caller goes. */
async function enterAndLeave(waiting: number): Promise<number> {
  const queue = createQueue('fifo');
  const work = async () => {};
  queue.pause();
  const lined = Array.from({ length: waiting }, (_, index) =>
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
  await Promise.all(lined);
  return elapsedMs;
}

/** The processor time of this thread: what else runs on the machine counts less than on the wall. */
async function measureMs(run: () => Promise<void>): Promise<number> {
  const before = process.threadCpuUsage();
  await run();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}

/** The medians of a few rounds, after one that does not count. */
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
