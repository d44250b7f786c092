import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { execa } from 'execa';
import { findUnfinished } from '../../server/models/downloads.ts';
import { inspectModel } from '../../server/models/find-models.ts';
import { changeConfig, changedModel } from '../support/changed-model.ts';
import { hubTest, ID, reasonOf, SLOW, WEIGHTS, WEIGHTS_BYTES } from '../support/hub/hub-test.ts';
import { readUntil } from '../support/output.ts';
import { demoModel } from '../support/service.ts';

hubTest(
  'a download reports progress, and its model is offered only once complete',
  async ({ hub, client }) => {
    hub.pace.bytesPerSecond = SLOW / 4;
    hub.pace.hold(WEIGHTS, 1_000_000);
    const downloading = client.downloads.start(ID);
    await hub.pace.sent(WEIGHTS, 1_000_000);
    assert.deepEqual(await client.offered(), []);
    hub.pace.bytesPerSecond = undefined;
    hub.pace.release();
    const folder = await downloading;
    assert.deepEqual((await readdir(folder)).sort(), (await readdir(demoModel)).filter(isWanted));
    assert.deepEqual(await client.offered(), [ID]);
    assert.deepEqual(client.downloads.list, []);
    assert.deepEqual(client.phases.slice(0, 2), ['starting', 'downloading']);
    const done = client.reported.map(({ doneBytes }) => doneBytes);
    assert.deepEqual(
      done,
      done.toSorted((a, b) => a - b),
    );
    const speeds = client.reported.map(({ bytesPerSecond = 0 }) => bytesPerSecond);
    assert.ok(Math.max(...speeds) > 0);
    assert.ok(client.reported.some(({ secondsLeft = 0 }) => secondsLeft > 0));
    const { problem } = await inspectModel(ID, { program: client.program, maxConcurrency: 1 });
    assert.equal(problem, undefined);
  },
);

/** Whether mlx_vlm downloads this file. */
function isWanted(name: string): boolean {
  return /\.(json|safetensors|jinja|txt|model|py)$/.test(name);
}

hubTest('a paused download resumes without downloading bytes again', async ({ hub, client }) => {
  hub.pace.hold(WEIGHTS, 2_000_000);
  const downloading = client.downloads.start(ID);
  await client.until(({ doneBytes }) => doneBytes > 1_500_000);
  await client.downloads.pause(ID);
  await assert.rejects(downloading, { name: 'AbortError' });
  assert.equal(client.downloads.list[0]?.phase, 'paused');
  await hub.pace.closed(WEIGHTS);
  hub.pace.release();
  const before = hub.requests.length;
  await client.downloads.start(ID);
  const again = hub.requests
    .slice(before)
    .filter(({ method, path }) => method === 'GET' && path.endsWith(WEIGHTS));
  assert.deepEqual([...new Set(again.map(({ range }) => range !== undefined))], [true]);
  // Only what was in transit when it was paused is sent again.
  assert.ok(hub.pace.total(WEIGHTS) < WEIGHTS_BYTES + 600_000, `${hub.pace.total(WEIGHTS)}`);
});

hubTest(
  'after kill -9, the next process lists the download and resumes it',
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

hubTest(
  'a file that is damaged twice fails the download, and its model is not offered',
  async ({ hub, client }) => {
    hub.corruptNext('tokenizer.json', 2);
    await assert.rejects(client.downloads.start(ID), (error) => reasonOf(error) === 'corrupted');
    const [{ phase, problem } = { phase: '' }] = client.downloads.list;
    assert.equal(phase, 'failed');
    assert.match(problem?.message ?? '', /tokenizer\.json was damaged in two downloads/);
    assert.deepEqual(await client.offered(), []);
  },
);

hubTest(
  'a rate limit during a download is reported with its duration (C11)',
  async ({ hub, client }) => {
    hub.breakNext(WEIGHTS, 1_048_576);
    hub.limitRest(WEIGHTS, '1');
    await client.downloads.start(ID);
    assert.ok(hub.pace.total(WEIGHTS) < WEIGHTS_BYTES + 600_000, 'only the rest is sent again');
    const problems = client.reported.flatMap(({ problem }) => (problem ? [problem.message] : []));
    assert.deepEqual(
      [...new Set(problems)],
      ['The Hugging Face Hub has rate-limited this computer for 1 s.'],
    );
    assert.deepEqual(await client.offered(), [ID]);
  },
);

hubTest(
  'control characters from the Hub are not printed to the terminal',
  async ({ hub, client }) => {
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
  },
);
