import assert from 'node:assert/strict';
import type { QueueLimits } from '../../../server/queue/request-queue.ts';
import { createQueue, turn } from './queue-fixture.ts';

/** An event of a queue. `pick` selects the job, modulo the number of candidates. */
export type Step =
  | { do: 'submit'; client: string; ready: 'now' | 'later' }
  | { do: 'finish' | 'fail' | 'load' | 'failToLoad' | 'abort'; pick: number }
  | { do: 'turn' }
  | { do: 'pause' | 'resume' | 'drain' | 'close' }
  | { do: 'tick'; ms: number }
  | { do: 'limit'; limits: Partial<QueueLimits> };

/** How a job's promise settles: the value, or the name or message of the error. */
type Outcome = string;

/** A job in the model of the queue. */
interface ModelJob {
  readonly id: string;
  readonly client: string;
  readonly dueMs: number;
  state: 'loading' | 'ready' | 'running' | 'ended';
  /** How the promise must settle, once that is certain. */
  expected?: Outcome;
  /** How the promise has settled: one outcome at most. */
  readonly outcomes: Outcome[];
  readonly loaded: PromiseWithResolvers<void>;
  readonly work: PromiseWithResolvers<string>;
  readonly caller: AbortController;
}

/**
 * A simple model of the queue, with plain arrays. Every step is applied to the queue and to the model,
 * and then the two are compared. Effects of promises happen at the next turn, all loads before all ends,
 * because a load takes one microtask and an end several.
 */
export class QueueModel {
  readonly queue = createQueue({ maxConcurrency: 2, maxQueueSize: 5, timeoutMs: 500 });
  readonly #tick: (ms: number) => void;
  /** All jobs so far, admitted or refused, in order of arrival. */
  readonly #jobs: ModelJob[] = [];
  /** Starts that have not been checked yet. */
  readonly #starts: string[] = [];
  #limits: QueueLimits = { maxConcurrency: 2, maxQueueSize: 5, timeoutMs: 500, policy: 'fifo' };
  #bound = new FairBound();
  #isPaused = false;
  #isClosed = false;
  #isDrained = false;
  readonly #loads: (() => void)[] = [];
  readonly #ends: (() => void)[] = [];

  constructor(tick: (ms: number) => void) {
    this.#tick = tick;
  }

  /** Promises settle only at a turn, so the last step must be one. Other steps share a tick. */
  async take(steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      if (step.do === 'turn') await this.#turn();
      else this.#do(step);
      this.#check();
    }
  }

  /** Ends all jobs and checks that each has settled exactly once. */
  async takeToTheEnd(): Promise<void> {
    const round: Step[] = [
      { do: 'drain' },
      ...this.#jobs.map((_, pick) => ({ do: 'load', pick }) as const),
      ...this.#jobs.map((_, pick) => ({ do: 'finish', pick }) as const),
      { do: 'turn' },
    ];
    const maxRounds = this.#jobs.length + 1; // one to load, then at least one job ends in each
    for (let count = 0; count < maxRounds && !this.#isDrained; count += 1) await this.take(round);
    assert.equal(this.#isDrained, true, 'a job was lost');
    for (const { outcomes } of this.#jobs) assert.equal(outcomes.length, 1);
  }

  #do(step: Exclude<Step, { do: 'turn' }>): void {
    if ('pick' in step) this.#doToOne(step);
    else if (step.do === 'submit') this.#submit(step.client, step.ready === 'later');
    else if (step.do === 'tick') this.#pass(step.ms);
    else if (step.do === 'limit') this.#limit(step.limits);
    else this.#doToAll(step.do);
    this.#fill();
  }

  #doToOne(step: Extract<Step, { pick: number }>): void {
    const pick = (...states: ModelJob['state'][]) => {
      const candidates = this.#in(...states);
      return candidates[step.pick % candidates.length];
    };
    if (step.do === 'finish' || step.do === 'fail') {
      this.#finish(pick('running'), step.do === 'finish');
    } else if (step.do === 'load' || step.do === 'failToLoad') {
      this.#load(pick('loading'), step.do === 'load');
    } else this.#abort(pick('loading', 'ready', 'running'));
  }

  #doToAll(what: 'pause' | 'resume' | 'drain' | 'close'): void {
    const onDrained = () => {
      this.#isDrained = true;
    };
    switch (what) {
      case 'pause':
        this.#isPaused = true;
        this.queue.pause();
        break;
      case 'resume':
        this.#isPaused = false;
        this.queue.resume();
        break;
      case 'drain':
        this.#isPaused = false;
        this.#isClosed = true;
        void this.queue.drain().then(onDrained);
        break;
      case 'close':
        this.#isClosed = true;
        void this.queue.close(new Error('closed')).then(onDrained);
        for (const job of this.#jobs) this.#end(job, 'closed');
        break;
      default:
        what satisfies never;
    }
  }

  #submit(client: string, isLate: boolean): void {
    const id = `${this.#jobs.length}`;
    const dueMs = Date.now() + this.#limits.timeoutMs;
    const job = createModelJob(id, client, dueMs, isLate ? 'loading' : 'ready');
    const startsAtOnce = !isLate && this.#hasFreeSlot() && this.#in('ready').length === 0;
    const free = this.#isPaused
      ? 0
      : Math.max(0, this.#limits.maxConcurrency - this.#in('running').length);
    const isFull = !startsAtOnce && this.#waiting().length - free >= this.#limits.maxQueueSize;
    this.#jobs.push(job);
    if (this.#isClosed) this.#end(job, 'QueueClosedError');
    else if (isFull) this.#end(job, 'QueueFullError');

    const { loaded, work, caller, outcomes } = job;
    const run = () => {
      this.#starts.push(id);
      return work.promise;
    };
    const options = { id, client, signal: caller.signal };
    this.queue.submit(run, isLate ? { ...options, ready: loaded.promise } : options).then(
      (value) => outcomes.push(value),
      (reason: Error) => outcomes.push(reason.name === 'Error' ? reason.message : reason.name),
    );
  }

  #finish(job: ModelJob | undefined, isGood: boolean): void {
    if (job === undefined) return;
    if (isGood) job.work.resolve('finished');
    else job.work.reject(new Error('failed'));
    const outcome = isGood ? 'finished' : 'failed';
    this.#ends.push(() => {
      if (job.state !== 'running') return; // it had already finished in this tick
      job.expected ??= outcome;
      job.state = 'ended';
    });
  }

  #load(job: ModelJob | undefined, isGood: boolean): void {
    if (job === undefined) return;
    if (isGood) job.loaded.resolve();
    else job.loaded.reject(new Error('not loaded'));
    this.#loads.push(() => {
      if (job.state !== 'loading') return; // it had already loaded or ended
      if (isGood) job.state = 'ready';
      else this.#end(job, 'not loaded');
    });
  }

  #abort(job: ModelJob | undefined): void {
    if (job === undefined) return;
    job.caller.abort(new Error('abort'));
    this.#end(job, 'abort');
  }

  #pass(ms: number): void {
    this.#tick(ms);
    for (const job of this.#jobs) {
      if (job.dueMs <= Date.now()) this.#end(job, 'QueueTimeoutError');
    }
  }

  #limit(limits: Partial<QueueLimits>): void {
    if (limits.policy !== undefined) this.#bound = new FairBound();
    this.#limits = { ...this.#limits, ...limits };
    this.queue.setLimits(limits);
  }

  async #turn(): Promise<void> {
    const happened = [...this.#loads.splice(0), ...this.#ends.splice(0)];
    await turn();
    for (const happen of happened) {
      happen();
      this.#fill();
    }
    for (const { outcomes, expected } of this.#jobs) {
      assert.deepEqual(outcomes, expected === undefined ? [] : [expected]);
    }
    const isOver = this.#isClosed && this.#jobs.every(({ state }) => state === 'ended');
    assert.equal(this.#isDrained, isOver);
  }

  /** Settles the promise; a running job holds its slot until its work has ended. */
  #end(job: ModelJob, outcome: Outcome): void {
    if (job.expected !== undefined || job.state === 'ended') return;
    job.expected = outcome;
    if (job.state !== 'running') job.state = 'ended';
  }

  /** While a slot is free and a job is ready, the right job must have started. */
  #fill(): void {
    this.#bound.keepOnly(this.#waitingClients());
    while (this.#hasFreeSlot() && this.#in('ready').length > 0) {
      const started = this.#in('ready').find(({ id }) => id === this.#starts[0]);
      assert.ok(started, `a slot is idle, or ${this.#starts[0]} started and could not`);
      this.#starts.shift();
      this.#checkTurn(started);
      started.state = 'running';
      this.#bound.keepOnly(this.#waitingClients());
    }
  }

  #checkTurn({ id, client }: ModelJob): void {
    const isFair = this.#limits.policy === 'fair';
    const rivals = this.#in('ready').filter((job) => !isFair || job.client === client);
    assert.equal(id, rivals[0]?.id, 'the first job to arrive must start first');
    if (isFair) this.#bound.takeTurn(client, this.#waitingClients());
  }

  #waitingClients(): Set<string> {
    return new Set(this.#in('ready').map(({ client }) => client));
  }

  #check(): void {
    assert.deepEqual(this.#starts, [], 'a job started without a slot or out of turn');
    const running = this.#in('running').length;
    assert.deepEqual(this.queue.stats, {
      running: !this.#isClosed && !this.#isPaused,
      queueSize: this.#waiting().length,
      maxQueueSize: this.#limits.maxQueueSize,
      activeRequests: this.#waiting().length + running,
      maxConcurrency: this.#limits.maxConcurrency,
      runningCount: running,
    });
    const held = this.#jobs.filter(({ id }) => this.queue.has(id));
    assert.deepEqual(held, this.#in('loading', 'ready', 'running'));
  }

  #hasFreeSlot(): boolean {
    return !this.#isPaused && this.#in('running').length < this.#limits.maxConcurrency;
  }

  #waiting(): ModelJob[] {
    return this.#in('loading', 'ready');
  }

  #in(...wanted: ModelJob['state'][]): ModelJob[] {
    return this.#jobs.filter(({ state }) => wanted.includes(state));
  }
}

function createModelJob(
  id: string,
  client: string,
  dueMs: number,
  state: 'loading' | 'ready',
): ModelJob {
  return {
    id,
    client,
    dueMs,
    state,
    outcomes: [],
    loaded: Promise.withResolvers(),
    work: Promise.withResolvers(),
    caller: new AbortController(),
  };
}

/** Checks the fair policy: while a client waits for its turn, no other client gets two. */
class FairBound {
  /** By waiting client: who has had a turn since its last one, or since it started to wait. */
  readonly #overtakers = new Map<string, Set<string>>();

  takeTurn(client: string, waiting: ReadonlySet<string>): void {
    this.#overtakers.delete(client);
    for (const other of waiting) {
      if (other === client) continue;
      const overtakers = this.#overtakers.get(other) ?? new Set();
      assert.ok(!overtakers.has(client), `${client} had two turns while ${other} waited`);
      this.#overtakers.set(other, overtakers.add(client));
    }
  }

  /** Forgets clients that no longer wait. */
  keepOnly(waiting: ReadonlySet<string>): void {
    for (const client of this.#overtakers.keys()) {
      if (!waiting.has(client)) this.#overtakers.delete(client);
    }
  }
}
