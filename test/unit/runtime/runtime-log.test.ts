import assert from 'node:assert/strict';
import { test } from 'node:test';
import pino from 'pino';
import { never, phase, setUp } from '../../support/stub-supervisor.ts';

test('unknown lines of the launcher are logged and ignored', async (t) => {
  const lines: { level: number; msg: string; line?: string }[] = [];
  const log = pino({ level: 'debug' }, { write: (text) => void lines.push(JSON.parse(text)) });
  const { runtime, stubs } = await setUp(t, { log }, (stub) => {
    for (const line of ['no JSON', '{"event":"unknown"}']) stub.command({ do: 'say', line });
    for (const level of ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL', 'what']) {
      stub.command({ do: 'log', line: `${level} stub says` });
    }
    stub.ready();
  });
  runtime.start();
  await runtime.ensureReady(never);
  await runtime.stop();
  assert.deepEqual(
    lines.filter(({ msg }) => /unexpected/.test(msg)).map(({ level, line }) => [level, line]),
    [
      [40, 'no JSON'],
      [40, '{"event":"unknown"}'],
    ],
  );
  assert.deepEqual(
    lines.filter(({ msg }) => /stub says/.test(msg)).map(({ level, msg }) => [level, msg]),
    [
      [20, 'stub says'],
      [20, 'stub says'],
      [40, 'stub says'],
      [50, 'stub says'],
      [50, 'stub says'],
      [20, 'what stub says'],
    ],
  );
  assert.equal(stubs.count, 1);
});

test('each phase is logged once, at the right level', async (t) => {
  const lines: Record<string, unknown>[] = [];
  const log = pino(
    { level: 'info', base: null, timestamp: false },
    { write: (text) => void lines.push(JSON.parse(text)) },
  );
  const { runtime, stubs } = await setUp(t, { log }, (stub, { count }) => {
    if (count === 1) stub.ready();
    else stub.fatal();
  });
  runtime.start();
  await runtime.ensureReady(never);
  const stub = await stubs.at(0);
  stub.kill();
  await phase(runtime, 'failed');
  const next = await stubs.at(1);
  assert.deepEqual(lines, [
    { level: 30, msg: 'runtime starting' },
    { level: 30, model: 'A', runtimePid: stub.pid, msg: 'runtime loading' },
    { level: 30, loadSeconds: 0.1, memoryBytes: 5, msg: 'runtime ready' },
    { level: 40, reason: 'killed by SIGKILL', retryInMs: 0, msg: 'runtime crashed' },
    { level: 30, msg: 'runtime starting' },
    { level: 30, model: 'A', runtimePid: next.pid, msg: 'runtime loading' },
    { level: 30, msg: 'runtime stopping' },
    {
      ...{ level: 50, reason: 'model_incomplete', message: 'A is broken.', remedy: 'Mend it.' },
      msg: 'runtime failed',
    },
  ]);
});
