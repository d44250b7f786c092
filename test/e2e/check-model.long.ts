import assert from 'node:assert/strict';
import { test } from 'node:test';
import { execa } from 'execa';
import { readUntil } from '../support/output.ts';
import { demoModel } from '../support/service.ts';

test('models check reports a runtime that dies in one line', async () => {
  const child = execa(process.execPath, ['server/cli.ts', 'models', 'check', demoModel], {
    reject: false,
  });
  await readUntil(child.stderr, /^5 of 25 answers$/m);
  const { stdout } = await execa('pgrep', ['-P', `${child.pid}`]);
  for (const pid of stdout.split('\n')) process.kill(Number(pid), 'SIGKILL');
  const { stderr, exitCode } = await child;
  assert.equal(exitCode, 1);
  assert.match(stderr.split('\n').at(-1) ?? '', /^error: .*runtime/);
});
