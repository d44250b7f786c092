import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { execa } from 'execa';
import { DoctorReport } from '../../server/doctor/doctor.ts';

/** With a home folder of the test's own, so that no log of this machine matters. */
function runDoctor(t: TestContext, ...args: string[]) {
  const home = mkdtempSync(join(tmpdir(), 'sightglass-test-'));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const env = { HOME: home, XDG_STATE_HOME: home };
  return execa(process.execPath, ['server/cli.ts', 'doctor', ...args], { reject: false, env });
}

test('doctor exits with 0 and prints a line per check when the machine can serve', async (t) => {
  const { exitCode, stdout } = await runDoctor(t, '--port', '0');
  const lines = stdout.split('\n').slice(1);
  const unlike = lines.filter((line) => !/^[✓–] [\w ]+: ./.test(line));
  assert.deepEqual([exitCode, unlike, lines.length], [0, [], 16]);
});

test('doctor --json exits with 1 and reports a taken port and a missing model', async (t) => {
  const other = createServer((_request, response) => response.end('not ours'));
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.after(() => other.close());
  const address = other.address();
  assert.ok(typeof address === 'object' && address !== null);
  const args = ['--json', '--port', String(address.port), '--model-path', '/nowhere/at/all'];
  const { exitCode, stdout } = await runDoctor(t, ...args);
  const { checks, healthy } = DoctorReport.parse(JSON.parse(stdout));
  const failed = checks.filter(({ status }) => status === 'failed').map(({ name }) => name);
  assert.deepEqual([exitCode, healthy, failed], [1, false, ['model', 'port']]);
});

test('doctor refuses an unknown flag', async (t) => {
  const { exitCode, stderr } = await runDoctor(t, '--frobnicate');
  assert.deepEqual([exitCode, stderr], [2, "error: unknown option '--frobnicate' (see --help)"]);
});
