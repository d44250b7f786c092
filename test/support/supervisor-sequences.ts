import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import pino from 'pino';
import type { RuntimeConnection } from '../../server/runtime/connection.ts';
import {
  RuntimeDiedError,
  RuntimeDrainedError,
  RuntimeFailedError,
  RuntimeStoppedError,
} from '../../server/runtime/errors.ts';
import type { LaunchOptions, RuntimeProcess } from '../../server/runtime/process.ts';
import { RuntimeSupervisor } from '../../server/runtime/supervisor.ts';

import { FakeProcess, isBroken } from './fake-process.ts';
import { readyLine } from './stub-runtimes.ts';
import { DRAIN_MS, LOADING_MS, type Step, step } from './supervisor-steps.ts';

interface Job {
  readonly caller: AbortController;
  readonly alone: boolean;
  finish: () => void;
  /** The process that it is running on. */
  process: FakeProcess | undefined;
  outcome: unknown;
}

/** One supervisor with its processes and jobs, and the rules that must hold at every step. */
class World {
  readonly runtime: RuntimeSupervisor;
  readonly processes: FakeProcess[] = [];
  readonly jobs: Job[] = [];
  /** The model that was ready last, the one requested last, and whether the runtime should be on. */
  lastReady: string | undefined;
  wanted = 'A';
  isOn = false;
  isShutDown = false;
  #drainingSince: number | undefined;
  #isStopped = false;
  /** Rules that were broken. */
  readonly #broken: string[] = [];

  constructor() {
    this.runtime = new RuntimeSupervisor({
      command: { python: '', args: [] },
      modelPath: 'A',
      log: pino({ level: 'silent' }),
      now: () => Date.now(),
      ...{ drainTimeoutMs: DRAIN_MS, loadingTimeoutMs: LOADING_MS },
      launch: (options) => this.#launch(options),
      onRollback: (model) => {
        this.#expect(model === this.lastReady, 'the fallback is the model that was ready last');
        this.wanted = model;
      },
    });
    this.runtime.onChange(({ phase }) => {
      if (phase !== 'draining') this.#drainingSince = undefined;
      else this.#drainingSince ??= Date.now();
    });
  }

  get process(): FakeProcess | undefined {
    return this.processes.at(-1);
  }

  #launch(options: LaunchOptions): RuntimeProcess {
    this.#expect(!this.processes.some(({ isAlive }) => isAlive), 'there are never two runtimes');
    this.#expect(options.modelPath === this.wanted, 'the model that is wanted is started');
    const process = new FakeProcess(options, (stopped) => this.#checkStop(stopped));
    this.processes.push(process);
    return process;
  }

  #checkStop(process: FakeProcess): void {
    const cut = this.jobs.filter((job) => job.process === process && job.outcome === undefined);
    const isOverdue =
      this.#drainingSince !== undefined && Date.now() - this.#drainingSince >= DRAIN_MS;
    this.#expect(
      cut.length === 0 || this.#isStopped || isOverdue,
      'no work is interrupted needlessly',
    );
  }

  async take(each: Step): Promise<void> {
    this.#do(each);
    await setImmediate();
    this.#checkTimes();
    assert.deepEqual(this.#broken, []);
  }

  #checkTimes(): void {
    const { process } = this;
    const isWaitedFor = process?.isAlive && !process.isAskedToStop;
    const loadsForMs = process?.isReady ? 0 : Date.now() - (process?.startedAt ?? 0);
    this.#expect(!isWaitedFor || loadsForMs <= LOADING_MS, 'no runtime loads forever');
    const drainsForMs = Date.now() - (this.#drainingSince ?? Date.now());
    this.#expect(drainsForMs <= DRAIN_MS, 'no drain lasts forever');
  }

  #do(each: Step): void {
    const { runtime, process } = this;
    switch (each.do) {
      case 'start':
        if (this.isShutDown) break;
        this.isOn = true;
        runtime.start();
        break;
      case 'stop':
        this.#stop(() => runtime.stop());
        break;
      case 'shutdown':
        this.isShutDown = true;
        this.#stop(() => runtime.shutdown());
        break;
      case 'unload':
      case 'restart':
        void runtime[each.do]();
        break;
      case 'load':
        if (!this.isShutDown) this.wanted = each.model;
        void runtime.load(each.model);
        break;
      case 'ask':
      case 'work':
      case 'work alone':
        this.jobs.push(this.#begin(each.do));
        break;
      case 'finish work':
        this.#pick(each.index)?.finish();
        break;
      case 'abandon':
        this.#pick(each.index)?.caller.abort(new Error('abandoned'));
        break;
      case 'go on':
        process?.goOn();
        this.#noteReady(process);
        break;
      case 'say ready':
        if (process !== undefined && isBroken(process.model)) break;
        if (process?.said !== 1) process?.say({ ...readyLine, model: process.model });
        break;
      case 'die':
        process?.die('exit code 9');
        break;
      case 'obey':
        if (process?.isAskedToStop) process.die('exit code 0');
        break;
      case 'pass':
        mock.timers.tick(each.ms);
        break;
      default:
        each satisfies never;
    }
  }

  #stop(stop: () => Promise<void>): void {
    this.isOn = false;
    this.#isStopped = true;
    void stop();
    this.#isStopped = false;
  }

  #noteReady(process: FakeProcess | undefined): void {
    if (process?.isReady && process.isAlive && !process.isAskedToStop) {
      this.lastReady = process.model;
    }
  }

  #pick(index: number): Job | undefined {
    const pending = this.jobs.filter(({ outcome }) => outcome === undefined);
    return pending[index % Math.max(1, pending.length)];
  }

  #begin(kind: 'ask' | 'work' | 'work alone'): Job {
    const finished = Promise.withResolvers<void>();
    const job: Job = {
      caller: new AbortController(),
      alone: kind === 'work alone',
      finish: finished.resolve,
      process: undefined,
      outcome: undefined,
    };
    const work = async (connection: RuntimeConnection, signal: AbortSignal) => {
      this.#checkBegin(job, connection);
      const process = this.process;
      job.process = process;
      const aborted = Promise.withResolvers<never>();
      signal.addEventListener('abort', () => aborted.reject(signal.reason));
      const died = connection.died.then(() => Promise.reject(new RuntimeDiedError()));
      died.catch(() => {});
      try {
        await Promise.race([finished.promise, aborted.promise, died]);
        return 'done';
      } finally {
        job.process = undefined;
      }
    };
    const { signal } = job.caller;
    const result =
      kind === 'ask'
        ? this.runtime.ensureReady(signal).then(() => 'done')
        : kind === 'work'
          ? this.runtime.run(work, { signal, mayRetry: () => true })
          : this.runtime.runAlone(work, { signal });
    result.then(
      (value) => {
        job.outcome = value;
      },
      (error) => {
        job.outcome = error;
      },
    );
    return job;
  }

  #checkBegin(job: Job, connection: RuntimeConnection): void {
    const { process } = this;
    this.#expect(
      process?.isAlive === true && process.isReady && !process.isAskedToStop,
      'work starts on a ready runtime',
    );
    this.#expect(connection.model.model === process?.model, 'work starts on the current runtime');
    this.#expect(this.runtime.state.phase === 'ready', 'no work starts while the runtime drains');
    const others = this.jobs.filter((each) => each !== job && each.process !== undefined);
    this.#expect(!job.alone || others.length === 0, 'exclusive work runs alone');
    this.#expect(!others.some(({ alone }) => alone), 'nothing runs beside exclusive work');
  }

  /** Records a broken rule; throwing inside a callback would affect the supervisor. */
  #expect(condition: boolean, rule: string): void {
    if (!condition) this.#broken.push(rule);
  }

  /** Lets every process behave and all work finish, and checks the resulting state. */
  async settle(): Promise<void> {
    const failed = this.runtime.state.phase === 'failed';
    const last = this.#begin('ask');
    this.jobs.push(last);
    for (let round = 0; round < 30; round += 1) {
      const { process } = this;
      if (process?.isAlive && process.isAskedToStop) process.die('exit code 0');
      else process?.goOn();
      this.#noteReady(process);
      for (const job of this.jobs) job.finish();
      mock.timers.tick(round % 2 === 0 ? 0 : DRAIN_MS);
      await setImmediate();
      assert.deepEqual(this.#broken, []);
    }
    assert.deepEqual(
      this.jobs.filter(({ outcome }) => outcome === undefined),
      [],
      'every waiter is answered',
    );
    this.#checkOutcomes();
    this.#checkEnd(last, failed);
  }

  #checkOutcomes(): void {
    for (const { outcome, caller } of this.jobs) {
      const isOwn =
        outcome === 'done' || (caller.signal.aborted && outcome === caller.signal.reason);
      const isKnown = [
        RuntimeDiedError,
        RuntimeDrainedError,
        RuntimeFailedError,
        RuntimeStoppedError,
      ];
      assert.ok(isOwn || isKnown.some((kind) => outcome instanceof kind), String(outcome));
    }
  }

  #checkEnd({ outcome }: Job, hadFailed: boolean): void {
    const { state } = this.runtime;
    if (!this.isOn) {
      assert.equal(state.phase, 'stopped');
      assert.ok(outcome instanceof RuntimeStoppedError);
    } else if (state.phase === 'failed') {
      assert.ok(outcome instanceof RuntimeFailedError);
      const { lastReady, wanted } = this;
      assert.ok(lastReady === undefined || lastReady === wanted, 'every fallback is honoured');
      if (!hadFailed)
        assert.ok(isBroken(wanted), 'the service does not give up on a working runtime');
    } else {
      assert.equal(state.phase, 'ready', 'never stuck without a runtime');
      assert.equal(outcome, 'done');
      assert.equal(this.process?.model, this.wanted);
      assert.equal(this.process?.isAlive, true);
    }
    assert.equal(state.context.exclusive, 0);
  }
}

/**
 * Runs supervisors of in-memory processes through generated sequences of events. Checks that every
 * waiter is answered, no work is interrupted needlessly, there are never two runtimes or permanently
 * none, and every fallback is used. Returns the number of steps taken.
 * @throws with the shortest sequence that breaks a rule
 */
export async function checkSupervisorSequences(options: {
  runs: number;
  seed?: number;
}): Promise<number> {
  let steps = 0;
  const property = fc.asyncProperty(
    fc.array(step, { maxLength: 60, size: 'max' }),
    async (sequence) => {
      mock.timers.enable({ apis: ['setTimeout', 'Date'] });
      try {
        const world = new World();
        for (const each of sequence) await world.take(each);
        steps += sequence.length;
        await world.settle();
      } finally {
        mock.timers.reset();
      }
    },
  );
  const { runs, seed } = options;
  await fc.assert(property, { numRuns: runs, ...(seed === undefined ? {} : { seed }) });
  return steps;
}
