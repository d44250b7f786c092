import assert from 'node:assert/strict';
import { truncate } from 'node:fs/promises';
import { execa } from 'execa';
import { hubTest, ID, WEIGHTS, WEIGHTS_BYTES } from '../support/hub/hub-test.ts';
import { readUntil } from '../support/output.ts';
import { testPartialFile, testRepair } from './damaged-downloads.ts';

testPartialFile('longer than the whole file', WEIGHTS_BYTES + 1);
testPartialFile('shorter, but wrong', 1_000_000);
testRepair('was cut short', (file) => truncate(file, 10));

hubTest('after a lost connection, only the rest is downloaded', async ({ hub, client }) => {
  hub.breakNext(WEIGHTS, 1_048_576);
  await client.downloads.start(ID);
  assert.ok(hub.pace.total(WEIGHTS) < WEIGHTS_BYTES + 600_000);
});

hubTest('a downloaded model is served without another download', async ({ hub, client }) => {
  await client.downloads.start(ID);
  const before = hub.pace.total(WEIGHTS);
  const args = ['server/cli.ts', '--model-path', ID, '--port', '0', '--host', '127.0.0.1'];
  const child = execa(process.execPath, args, {
    env: { ...client.env, XDG_STATE_HOME: client.home },
    reject: false,
  });
  await readUntil(child.stdout, /Logs: .*\n/);
  child.kill('SIGTERM');
  const { stderr } = await child;
  assert.equal(hub.pace.total(WEIGHTS), before);
  assert.doesNotMatch(stderr, /checking the files/);
});
