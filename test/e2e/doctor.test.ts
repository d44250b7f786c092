import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runDoctor } from './run-doctor.ts';

test('doctor exits with 0 and prints a line per check when the machine can serve', async (t) => {
  const { exitCode, stdout } = await runDoctor(t, '--port', '0');
  const lines = stdout.split('\n').slice(1);
  const unlike = lines.filter((line) => !/^[✓–] [\w ]+: ./.test(line));
  assert.deepEqual([exitCode, unlike, lines.length], [0, [], 16]);
});

test('doctor refuses an unknown flag', async (t) => {
  const { exitCode, stderr } = await runDoctor(t, '--frobnicate');
  assert.deepEqual([exitCode, stderr], [2, "error: unknown option '--frobnicate' (see --help)"]);
});
