import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { post, question, textOf } from '../support/chat.ts';
import { ANSWER, CLI, flood, redCircle, start, tempFolder, urlOf } from './logging-service.ts';

const canMount =
  process.platform === 'linux' &&
  !(await execa('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { reject: false }))
    .failed;

test('a full disk fails no request, even when the runtime is killed, and is reported once', {
  skip: !canMount && 'needs a mount namespace (Linux)',
}, async (t) => {
  const state = tempFolder(t);
  const script = `mount -t tmpfs -o size=64k tmpfs "$STATE" && exec "$@" 2>"$STDERR"`;
  const stderr = join(tempFolder(t), 'stderr');
  const env = { STATE: state, XDG_STATE_HOME: state, HOME: state, STDERR: stderr };
  const child = start(t, 'unshare', ['-rm', 'sh', '-c', script, 'sh', ...CLI], env);
  const url = await urlOf(child);
  assert.deepEqual(await flood(url), [400]);
  const { stdout: pids } = await execa('pgrep', ['-P', String(child.pid)]);
  for (const pid of pids.split('\n')) process.kill(Number(pid), 'SIGKILL');
  assert.equal(textOf(await post(url, question(redCircle))), ANSWER);
  child.kill('SIGTERM');
  assert.equal((await child).exitCode, 0);
  const warnings = readFileSync(stderr, 'utf8').match(/Cannot write the log file in/g);
  assert.equal(warnings?.length, 1);
});
