import assert from 'node:assert/strict';
import { readdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { findUnfinished } from '../../server/models/downloads.ts';
import { inspectModel } from '../../server/models/find-models.ts';
import { changedModel } from '../support/changed-model.ts';
import { post, question } from '../support/chat.ts';
import { hubTest, ID, reasonOf, SLOW, WEIGHTS, WEIGHTS_BYTES } from '../support/hub/hub-test.ts';
import { readUntil } from '../support/output.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { demoModel } from '../support/service.ts';
import { runOnTerminal } from '../support/terminal.ts';

// The real huggingface_hub downloads the demo model from a stand-in for the Hub.

const redCircle = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');

hubTest('a missing model is downloaded before it is served', async ({ hub, client }) => {
  const args = ['--model-path', ID, '--port', '0', '--host', '127.0.0.1'];
  const child = execa(process.execPath, ['server/cli.ts', ...args], {
    env: { ...client.env, XDG_STATE_HOME: client.home },
    reject: false,
  });
  const banner = await readUntil(child.stdout, /Logs: .*\n/);
  assert.match(banner, /Sightglass serves owner\/demo on /);
  assert.equal(hub.pace.total(WEIGHTS), WEIGHTS_BYTES);
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(banner)?.[0] ?? '';
  const { status } = await post(url, question(redCircle));
  assert.equal(status, 200);
  child.kill('SIGTERM');
  const { exitCode, stderr } = await child;
  assert.equal(exitCode, 0);
  const logged = stderr.split('\n').map((line) => JSON.parse(line).msg);
  assert.ok(logged.includes('owner/demo: checking the files'));
});

hubTest(
  'a terminal shows a progress bar, and Ctrl-C pauses the download',
  async ({ hub, client }) => {
    hub.pace.bytesPerSecond = SLOW;
    const command = [process.execPath, 'server/cli.ts', 'models', 'fetch', ID];
    const shown = await runOnTerminal(command, client.env);
    assert.match(shown, /█+░+ \d+% {2}[\d.]+ MB of 3\.7 MB, [\d.]+ [kM]B\/s, \d+ s left/);
    assert.match(shown, /█{40} 100%/);
    await hub.add('owner/other', demoModel);
    hub.pace.hold(WEIGHTS, WEIGHTS_BYTES + 1_000_000);
    const args = ['server/cli.ts', 'models', 'fetch', 'owner/other'];
    const child = execa(process.execPath, args, { env: client.env, reject: false });
    await readUntil(child.stderr, /of 3\.7 MB/);
    child.kill('SIGINT');
    const { exitCode, stderr } = await child;
    assert.equal(exitCode, 130);
    assert.match(
      stderr,
      /Paused\. Run the same command to continue; `models discard owner\/other`/,
    );
  },
);

hubTest('a damaged file is downloaded again', async ({ hub, client }) => {
  hub.corruptNext(WEIGHTS, 1);
  await client.downloads.start(ID);
  assert.equal(hub.pace.total(WEIGHTS), 2 * WEIGHTS_BYTES);
  assert.deepEqual(await client.offered(), [ID]);
});

testPartialFile('the same size, but wrong', WEIGHTS_BYTES);

hubTest('a download waits for a lost network', async ({ hub, client }) => {
  hub.pace.hold(WEIGHTS, 1_000_000);
  const downloading = client.downloads.start(ID);
  await hub.pace.sent(WEIGHTS, 1_000_000);
  hub.setDown(true);
  await client.until(({ phase }) => phase === 'waiting');
  assert.match(client.downloads.list[0]?.problem?.remedy ?? '', /continues automatically/);
  hub.pace.release();
  hub.setDown(false);
  await downloading;
  assert.deepEqual(await client.offered(), [ID]);
});

hubTest('a download without a network fails immediately', async ({ hub, client }) => {
  hub.setDown(true);
  await assert.rejects(client.downloads.start(ID), (error) => reasonOf(error) === 'network');
});

hubTest(
  'cancelling removes the downloaded files of this download only',
  async ({ hub, client }) => {
    await client.downloads.start(ID);
    await using changed = await changedModel((folder) => writeFile(join(folder, 'new.txt'), 'new'));
    await hub.add(ID, changed.folder);
    hub.breakNext('new.txt', 0);
    hub.pace.bytesPerSecond = 1;
    const downloading = client.downloads.start(ID).catch(() => {});
    await client.until(({ phase }) => phase === 'downloading');
    await client.downloads.cancel(ID);
    await downloading;
    assert.deepEqual(client.downloads.list, []);
    assert.deepEqual(await findUnfinished({ HF_HOME: client.home }), []);
    assert.deepEqual(await client.offered(), [ID]); // the complete revision is still there
    await hub.add('owner/other', changed.folder);
    const other = client.downloads.start('owner/other').catch(() => {});
    await client.until(({ phase }) => phase === 'downloading');
    await client.downloads.cancel('owner/other');
    await other;
    assert.deepEqual(
      (await readdir(join(client.home, 'hub'))).filter((name) => name.includes('other')),
      [],
    );
  },
);

hubTest('only the changed files of a newer revision are downloaded', async ({ hub, client }) => {
  await client.downloads.start(ID);
  await using changed = await changedModel((folder) => writeFile(join(folder, 'new.txt'), 'new'));
  await hub.add(ID, changed.folder);
  const folder = await client.downloads.start(ID);
  assert.ok((await readdir(folder)).includes('new.txt'));
  assert.equal(hub.pace.total(WEIGHTS), WEIGHTS_BYTES);
});

testRepair('has other bytes', (file) => writeFile(file, Buffer.alloc(WEIGHTS_BYTES)));

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

/** Tests that a partial download with these bytes on the disk does no harm. */
function testPartialFile(what: string, bytes: number): void {
  hubTest(`a partial file that is ${what} does no harm`, async ({ hub, client }) => {
    hub.pace.hold(WEIGHTS, 1_000_000);
    const downloading = client.downloads.start(ID).catch(() => {});
    await client.until(({ doneBytes }) => doneBytes > 500_000);
    await client.downloads.pause(ID);
    await downloading;
    hub.pace.release();
    const folder = join(client.home, 'hub/models--owner--demo/sightglass-download');
    const part = (await readdir(folder)).find((name) => name.endsWith('.part')) ?? '';
    await writeFile(join(folder, part), Buffer.alloc(bytes));
    await client.downloads.start(ID);
    assert.deepEqual(await client.offered(), [ID]);
  });
}

/** Tests that a download repairs a model whose weights were damaged in this way. */
function testRepair(what: string, damage: (file: string) => Promise<unknown>): void {
  hubTest(`a download repairs a model whose weights file ${what}`, async ({ hub, client }) => {
    const folder = await client.downloads.start(ID);
    await damage(join(folder, WEIGHTS));
    assert.equal(await client.downloads.start(ID), folder);
    assert.equal(hub.pace.total(WEIGHTS), 2 * WEIGHTS_BYTES);
    const { problem } = await inspectModel(ID, { program: client.program, maxConcurrency: 1 });
    assert.equal(problem, undefined);
    await client.downloads.start(ID);
    assert.equal(hub.pace.total(WEIGHTS), 2 * WEIGHTS_BYTES);
  });
}
