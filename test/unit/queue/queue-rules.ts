import assert from 'node:assert/strict';
import type { QueueLimits } from '../../../server/queue/request-queue.ts';
import { FairBound } from './fair-bound.ts';
import { createQueue, turn } from './queue-fixture.ts';
import { createMember, type Member, type Outcome } from './queue-member.ts';
import type { Step } from './queue-step.ts';

/**
 * A simple model of the queue, with plain arrays. Every step is applied to the queue and to the model,
 * and then the two are compared. Effects of promises happen at the next turn, all loads before all ends,
 * because a load takes one microtask and an end several.
 */
export class QueueRules {
  readonly queue = createQueue({ maxConcurrency: 2, maxQueueSize: 5, timeoutMs: 500 });
  readonly #tick: (ms: number) => void;
  /** All jobs so far, admitted or refused, in order of arrival. */
  readonly #members: Member[] = [];
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
      ...this.#members.map((_, pick) => ({ do: 'load', pick }) as const),
      ...this.#members.map((_, pick) => ({ do: 'finish', pick }) as const),
      { do: 'turn' },
    ];
    const maxRounds = this.#members.length + 1; // one to load, then at least one job ends in each
    for (let count = 0; count < maxRounds && !this.#isDrained; count += 1) await this.take(round);
    assert.equal(this.#isDrained, true, 'a job was lost');
    for (const { outcomes } of this.#members) assert.equal(outcomes.length, 1);
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
    const pick = (...states: Member['state'][]) => {
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
        for (const member of this.#members) this.#end(member, 'closed');
        break;
      default:
        what satisfies never;
    }
  }

  #submit(client: string, isLate: boolean): void {
    const id = `${this.#members.length}`;
    const dueMs = Date.now() + this.#limits.timeoutMs;
    const member = createMember(id, client, dueMs, isLate ? 'loading' : 'ready');
    const startsAtOnce = !isLate && this.#hasFreeSlot() && this.#in('ready').length === 0;
    const free = this.#isPaused
      ? 0
      : Math.max(0, this.#limits.maxConcurrency - this.#in('running').length);
    const isFull = !startsAtOnce && this.#waiting().length - free >= this.#limits.maxQueueSize;
    this.#members.push(member);
    if (this.#isClosed) this.#end(member, 'QueueClosedError');
    else if (isFull) this.#end(member, 'QueueFullError');

    const { loaded, work, caller, outcomes } = member;
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

  #finish(member: Member | undefined, isGood: boolean): void {
    if (member === undefined) return;
    if (isGood) member.work.resolve('finished');
    else member.work.reject(new Error('failed'));
    const outcome = isGood ? 'finished' : 'failed';
    this.#ends.push(() => {
      if (member.state !== 'running') return; // it had already finished in this tick
      member.expected ??= outcome;
      member.state = 'ended';
    });
  }

  #load(member: Member | undefined, isGood: boolean): void {
    if (member === undefined) return;
    if (isGood) member.loaded.resolve();
    else member.loaded.reject(new Error('not loaded'));
    this.#loads.push(() => {
      if (member.state !== 'loading') return; // it had already loaded or ended
      if (isGood) member.state = 'ready';
      else this.#end(member, 'not loaded');
    });
  }

  #abort(member: Member | undefined): void {
    if (member === undefined) return;
    member.caller.abort(new Error('abort'));
    this.#end(member, 'abort');
  }

  #pass(ms: number): void {
    this.#tick(ms);
    for (const member of this.#members) {
      if (member.dueMs <= Date.now()) this.#end(member, 'QueueTimeoutError');
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
    for (const { outcomes, expected } of this.#members) {
      assert.deepEqual(outcomes, expected === undefined ? [] : [expected]);
    }
    const isOver = this.#isClosed && this.#members.every(({ state }) => state === 'ended');
    assert.equal(this.#isDrained, isOver);
  }

  /** Settles the promise; a running job holds its slot until its work has ended. */
  #end(member: Member, outcome: Outcome): void {
    if (member.expected !== undefined || member.state === 'ended') return;
    member.expected = outcome;
    if (member.state !== 'running') member.state = 'ended';
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

  #checkTurn({ id, client }: Member): void {
    const isFair = this.#limits.policy === 'fair';
    const rivals = this.#in('ready').filter((member) => !isFair || member.client === client);
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
    const held = this.#members.filter(({ id }) => this.queue.has(id));
    assert.deepEqual(held, this.#in('loading', 'ready', 'running'));
  }

  #hasFreeSlot(): boolean {
    return !this.#isPaused && this.#in('running').length < this.#limits.maxConcurrency;
  }

  #waiting(): Member[] {
    return this.#in('loading', 'ready');
  }

  #in(...wanted: Member['state'][]): Member[] {
    return this.#members.filter(({ state }) => wanted.includes(state));
  }
}
