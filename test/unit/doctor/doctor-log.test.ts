import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFile, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { thisMachine } from '../../../server/doctor/machine.ts';
import { crashed, examine, failure, find, logLines, macWithLog, ready } from './examination.ts';
import { fakeResources } from './fake-machine.ts';

test('a runtime that failed and has not run since is reported with its remedy', async (t) => {
  const machine = macWithLog(
    logLines(ready, { ...crashed, time: 3e12 }, { ...failure, time: 3e12 }),
  );
  const check = await find('last_crash', examine({ resources: await fakeResources(t), machine }));
  assert.equal(check.status, 'failed');
  assert.match(check.found, /^2065-01-24T05:20:00.000Z The runtime ended twice\.$/);
  assert.equal(check.remedy, 'Try a smaller model.');
});

test('a crash from which the runtime recovered is reported, but is not a failure', async (t) => {
  const machine = macWithLog(`${logLines(crashed, ready)}\n{"time":1,"msg":"runtime cra`);
  const check = await find('last_crash', examine({ resources: await fakeResources(t), machine }));
  assert.equal(check.status, 'ok');
  assert.match(
    check.found,
    /the runtime crashed: it was killed by SIGKILL; it has recovered since$/,
  );
});

test('a crash before the clock was set back has been recovered from', async (t) => {
  const future = { ...crashed, time: 4e12 };
  const machine = macWithLog(logLines(future, ready));
  const check = await find('last_crash', examine({ resources: await fakeResources(t), machine }));
  assert.deepEqual([check.status, /it has recovered since$/.test(check.found)], ['ok', true]);
});

test('lines that are not log lines are skipped', async (t) => {
  const machine = macWithLog(
    `\0\ufffd"msg":"runtime crashed"\n${logLines({ ...crashed, time: 1e300 }, { ...crashed, time: 'x' })}`,
  );
  const check = await find('last_crash', examine({ resources: await fakeResources(t), machine }));
  assert.deepEqual([check.status, check.found], ['ok', 'none in the log']);
});

test('a finding is one line, and not a long one', async (t) => {
  const line = { ...crashed, reason: `a\nb\r\n  c ${'y'.repeat(1e6)}` };
  const machine = macWithLog(logLines(line));
  const check = await find('last_crash', examine({ resources: await fakeResources(t), machine }));
  assert.match(check.found, /the runtime crashed: a b c y+…$/);
  assert.ok(check.found.length < 1100);
});

test('the doctor reads only the end of a very long file, and does not read a pipe', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sightglass-doctor-'));
  t.after(() => rm(folder, { recursive: true }));
  const long = join(folder, 'sightglass.1.log');
  await writeFile(long, 'first\n');
  await truncate(long, 3e9);
  await appendFile(long, 'last\n');
  const text = await thisMachine.readFile(long);
  assert.deepEqual([text.length < 20e6, text.endsWith('\0last\n')], [true, true]);
  const pipe = join(folder, 'sightglass.2.log');
  assert.equal(spawnSync('mkfifo', [pipe]).status, 0);
  await assert.rejects(thisMachine.readFile(pipe), /is not a file/);
});
