import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { findUnfinished } from '../../server/models/downloads.ts';
import { inspectModel } from '../../server/models/find-models.ts';
import { changeConfig, changedModel } from '../support/changed-model.ts';
import { post, question } from '../support/chat.ts';
import { hubTest, ID, reasonOf, SLOW, WEIGHTS, WEIGHTS_BYTES } from '../support/hub/hub-test.ts';
import { readUntil } from '../support/output.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { demoModel } from '../support/service.ts';
import { runOnTerminal } from '../support/terminal.ts';
import { testPartialFile, testRepair } from './damaged-downloads.ts';

// The real huggingface_hub downloads the demo model from a stand-in for the Hub.

const redCircle = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');

hubTest(
  'a model comes with its progress told, is offered only when it is whole, and can be served',
  async ({ hub, client }) => {
    hub.pace.bytesPerSecond = SLOW / 4;
    hub.pace.hold(WEIGHTS, 1_000_000);
    const arriving = client.downloads.start(ID);
    await hub.pace.sent(WEIGHTS, 1_000_000);
    assert.deepEqual(await client.offered(), []);
    hub.pace.bytesPerSecond = undefined;
    hub.pace.release();
    const folder = await arriving;
    assert.deepEqual((await readdir(folder)).sort(), (await readdir(demoModel)).filter(isWanted));
    assert.deepEqual(await client.offered(), [ID]);
    assert.deepEqual(client.downloads.list, []);
    assert.deepEqual(client.phases.slice(0, 2), ['starting', 'downloading']);
    const done = client.told.map(({ doneBytes }) => doneBytes);
    assert.deepEqual(
      done,
      done.toSorted((a, b) => a - b),
    );
    const speeds = client.told.map(({ bytesPerSecond = 0 }) => bytesPerSecond);
    assert.ok(Math.max(...speeds) > 0);
    assert.ok(client.told.some(({ secondsLeft = 0 }) => secondsLeft > 0));
    const { problem } = await inspectModel(ID, { program: client.program, maxConcurrency: 1 });
    assert.equal(problem, undefined);
  },
);

/** What mlx_vlm takes of a repository. */
function isWanted(name: string): boolean {
  return /\.(json|safetensors|jinja|txt|model|py)$/.test(name);
}

hubTest(
  'a download that was paused goes on where it was, and sends no byte twice',
  async ({ hub, client }) => {
    hub.pace.hold(WEIGHTS, 2_000_000);
    const arriving = client.downloads.start(ID);
    await client.until(({ doneBytes }) => doneBytes > 1_500_000);
    await client.downloads.pause(ID);
    await assert.rejects(arriving, { name: 'AbortError' });
    assert.equal(client.downloads.list[0]?.phase, 'paused');
    await hub.pace.closed(WEIGHTS);
    hub.pace.release();
    const before = hub.requests.length;
    await client.downloads.start(ID);
    const again = hub.requests
      .slice(before)
      .filter(({ method, path }) => method === 'GET' && path.endsWith(WEIGHTS));
    assert.deepEqual([...new Set(again.map(({ range }) => range !== undefined))], [true]);
    // What was on its way when it was paused comes again, and that is all.
    assert.ok(hub.pace.total(WEIGHTS) < WEIGHTS_BYTES + 600_000, `${hub.pace.total(WEIGHTS)}`);
  },
);

hubTest(
  'kill -9 loses nothing but what was on its way; the next one lists it and goes on',
  async ({ hub, client }) => {
    hub.pace.hold(WEIGHTS, 1_500_000);
    const cli = (args: string[]) =>
      execa(process.execPath, ['server/cli.ts', 'models', ...args], {
        env: client.env,
        reject: false,
      });
    const killed = cli(['fetch', ID]);
    await readUntil(killed.stderr, /: 1\.[1-9] MB of 3\.7 MB/);
    killed.kill('SIGKILL');
    await killed;
    await hub.pace.closed(WEIGHTS);
    await client.downloads.restore({ HF_HOME: client.home });
    const [left] = client.downloads.list;
    assert.deepEqual([left?.id, left?.phase, left?.totalBytes], [ID, 'paused', 3660272]);
    assert.ok((left?.doneBytes ?? 0) > 1_000_000, `${left?.doneBytes}`);
    assert.deepEqual(await client.offered(), []);
    hub.pace.release();
    const { stdout, stderr, exitCode } = await cli(['fetch', ID]);
    assert.equal(exitCode, 0, stderr);
    assert.match(stdout, /^Model +owner\/demo\nArchitecture +qwen2_vl$/m);
    assert.match(stderr, /^owner\/demo: [\d.]+ MB of 3\.7 MB/m);
    assert.ok(hub.pace.total(WEIGHTS) < WEIGHTS_BYTES + 600_000, `${hub.pace.total(WEIGHTS)}`);
    assert.deepEqual(await findUnfinished({ HF_HOME: client.home }), []);
  },
);

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

hubTest('on a terminal there is a bar, and Ctrl-C pauses', async ({ hub, client }) => {
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
  assert.match(stderr, /Paused\. Run the same command to continue; `models discard owner\/other`/);
});

hubTest('a file that comes damaged is fetched again', async ({ hub, client }) => {
  hub.corruptNext(WEIGHTS, 1);
  await client.downloads.start(ID);
  assert.equal(hub.pace.total(WEIGHTS), 2 * WEIGHTS_BYTES);
  assert.deepEqual(await client.offered(), [ID]);
});

hubTest(
  'a file that comes damaged twice is refused, and never offered',
  async ({ hub, client }) => {
    hub.corruptNext('tokenizer.json', 2);
    await assert.rejects(client.downloads.start(ID), (error) => reasonOf(error) === 'corrupted');
    const [{ phase, problem } = { phase: '' }] = client.downloads.list;
    assert.equal(phase, 'failed');
    assert.match(problem?.message ?? '', /tokenizer\.json was damaged in two downloads/);
    assert.deepEqual(await client.offered(), []);
  },
);

testPartialFile('the same size, but wrong', WEIGHTS_BYTES);

hubTest('a network that goes away is waited for', async ({ hub, client }) => {
  hub.pace.hold(WEIGHTS, 1_000_000);
  const arriving = client.downloads.start(ID);
  await hub.pace.sent(WEIGHTS, 1_000_000);
  hub.setDown(true);
  await client.until(({ phase }) => phase === 'waiting');
  assert.match(client.downloads.list[0]?.problem?.remedy ?? '', /continues automatically/);
  hub.pace.release();
  hub.setDown(false);
  await arriving;
  assert.deepEqual(await client.offered(), [ID]);
});

hubTest(
  'a rate limit in the middle of a download is reported with its duration (C11)',
  async ({ hub, client }) => {
    hub.breakNext(WEIGHTS, 1_048_576);
    hub.limitRest(WEIGHTS, '1');
    await client.downloads.start(ID);
    assert.ok(hub.pace.total(WEIGHTS) < WEIGHTS_BYTES + 600_000, 'only the rest is sent again');
    const problems = client.told.flatMap(({ problem }) => (problem ? [problem.message] : []));
    assert.deepEqual(
      [...new Set(problems)],
      ['The Hugging Face Hub has rate-limited this computer for 1 s.'],
    );
    assert.deepEqual(await client.offered(), [ID]);
  },
);

hubTest('a network that is not there at first is said at once', async ({ hub, client }) => {
  hub.setDown(true);
  await assert.rejects(client.downloads.start(ID), (error) => reasonOf(error) === 'network');
});

hubTest('cancelling removes all that has come, and only that', async ({ hub, client }) => {
  await client.downloads.start(ID);
  await using changed = await changedModel((folder) => writeFile(join(folder, 'new.txt'), 'new'));
  await hub.add(ID, changed.folder);
  hub.breakNext('new.txt', 0);
  hub.pace.bytesPerSecond = 1;
  const arriving = client.downloads.start(ID).catch(() => {});
  await client.until(({ phase }) => phase === 'downloading');
  await client.downloads.cancel(ID);
  await arriving;
  assert.deepEqual(client.downloads.list, []);
  assert.deepEqual(await findUnfinished({ HF_HOME: client.home }), []);
  assert.deepEqual(await client.offered(), [ID]); // the one that was whole before
  await hub.add('owner/other', changed.folder);
  const other = client.downloads.start('owner/other').catch(() => {});
  await client.until(({ phase }) => phase === 'downloading');
  await client.downloads.cancel('owner/other');
  await other;
  assert.deepEqual(
    (await readdir(join(client.home, 'hub'))).filter((name) => name.includes('other')),
    [],
  );
});

hubTest('of a newer revision only what has changed comes', async ({ hub, client }) => {
  await client.downloads.start(ID);
  await using changed = await changedModel((folder) => writeFile(join(folder, 'new.txt'), 'new'));
  await hub.add(ID, changed.folder);
  const folder = await client.downloads.start(ID);
  assert.ok((await readdir(folder)).includes('new.txt'));
  assert.equal(hub.pace.total(WEIGHTS), WEIGHTS_BYTES);
});

testRepair('has other bytes', (file) => writeFile(file, Buffer.alloc(WEIGHTS_BYTES)));

hubTest('what the Hub says is no command to the terminal', async ({ hub, client }) => {
  await using evil = await changedModel((folder) =>
    changeConfig(folder, { model_type: '\u001b]0;title\u0007\u202evl' }),
  );
  await hub.add('owner/evil', evil.folder);
  const args = ['server/cli.ts', 'models', 'fetch', 'owner/evil'];
  const { stderr, exitCode } = await execa(process.execPath, args, {
    env: client.env,
    reject: false,
  });
  assert.equal(exitCode, 1);
  assert.match(stderr, /does not know the model type \?\]0;title\?\?vl\./);
});
