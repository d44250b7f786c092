import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import pino from 'pino';
import type { RuntimeConnection } from '../../../server/runtime/connection.ts';
import { RuntimeDiedError, RuntimeFailedError } from '../../../server/runtime/errors.ts';
import { RuntimeSupervisor } from '../../../server/runtime/supervisor.ts';

import { type StubProcess, StubRuntimes } from '../../support/stub-runtimes.ts';
import { checkSupervisorSequences } from '../../support/supervisor-sequences.ts';

/** `npm run test:faults` takes more. */
const RUNS = 400;
const RUNS_WITH_PROCESSES = 6;

test('the supervisor follows its rules for any sequence of events', async (t) => {
  const steps = await checkSupervisorSequences({ runs: RUNS });
  t.diagnostic(`${RUNS} sequences, ${steps} steps`);
});

const deed = fc.constantFrom(
  ...(['load A', 'load B', 'load broken', 'unload', 'restart'] as const),
  ...(['kill', 'stall', 'stop the process'] as const),
  ...(['work', 'work', 'work', 'work alone', 'wait'] as const),
);

test('all work completes on the current model while real processes die, hang and stop', async () => {
  await fc.assert(fc.asyncProperty(fc.array(deed, { minLength: 6, maxLength: 12 }), goThrough), {
    numRuns: RUNS_WITH_PROCESSES,
    endOnFailure: true,
  });
});

async function goThrough(
  deeds: readonly (typeof deed extends fc.Arbitrary<infer Deed> ? Deed : never)[],
): Promise<void> {
  const { signal } = new AbortController();
  const overlaps: string[] = [];
  const stubs = await StubRuntimes.create((stub, { processes }) => {
    for (const { pid } of processes.all.slice(0, -1)) {
      if (isAlive(pid)) overlaps.push(`${pid} beside ${stub.pid}`);
    }
    if (stub.model === 'broken') return stub.fatal();
    stub.ready();
    void answerAll(stub);
  });
  const limits = { hangTimeoutMs: 1500, drainTimeoutMs: 2000, loadingTimeoutMs: 10_000 };
  const log = pino({ level: 'silent' });
  const runtime = new RuntimeSupervisor({
    ...{ command: stubs.command, modelPath: 'A', log },
    ...limits,
  });
  const work = async (connection: RuntimeConnection, signal: AbortSignal) => {
    const body = { model: '', stream: true, messages: [] } as const;
    let text = '';
    for await (const chunks of connection.chat(body, { id: crypto.randomUUID(), signal })) {
      for (const { choices } of chunks) text += choices[0]?.delta.content ?? '';
    }
    assert.equal(text, `by ${connection.model.model}`);
  };
  const settled: Promise<unknown>[] = [];
  const keep = (promise: Promise<unknown>) => settled.push(promise.catch((error) => error));
  try {
    runtime.start();
    for (const each of deeds) {
      const process = stubs.processes.all.at(-1);
      const [verb, model] = each.split(' ');
      if (verb === 'load') keep(runtime.load(model ?? ''));
      else if (each === 'unload' || each === 'restart') keep(runtime[each]());
      else if (each === 'kill') process?.kill();
      else if (each === 'stall') process?.command({ do: 'stall' });
      else if (each === 'stop the process') process?.kill('SIGSTOP');
      else if (each === 'work') keep(runtime.run(work, { signal, mayRetry: () => true }));
      else if (each === 'work alone') keep(runtime.runAlone(work, { signal }));
      else await runtime.ensureReady(signal).catch(() => {});
    }
    for (const outcome of await Promise.all(settled)) {
      const isKnown = outcome instanceof RuntimeDiedError || outcome instanceof RuntimeFailedError;
      assert.ok(outcome === undefined || isKnown, String(outcome));
    }
    await runtime.load('A');
    await runtime.run(work, { signal, mayRetry: () => true });
    assert.equal(runtime.state.phase, 'ready');
    assert.deepEqual(overlaps, []);
  } finally {
    await runtime.shutdown();
    assert.deepEqual(
      stubs.processes.all.filter(({ pid }) => isAlive(pid)),
      [],
    );
    await stubs[Symbol.asyncDispose]();
  }
}

async function answerAll(stub: StubProcess): Promise<void> {
  for (let index = 0; ; index += 1) {
    stub.answer((await stub.requests.at(index)).id, `by ${stub.model}`);
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
