import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { DoctorReport } from '../../server/doctor/doctor.ts';
import { runDoctor } from './run-doctor.ts';

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
