import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import pino from 'pino';
import { findModels, inspectModel } from '../../server/models/find-models.ts';
import { findUnfinished } from '../../server/models/unfinished-downloads.ts';
import { post, question } from '../support/chat.ts';
import { HubClient } from '../support/hub/hub-client.ts';
import { HubServer } from '../support/hub/hub-server.ts';
import { changeConfig } from '../support/model-zoo.ts';
import { readUntil } from '../support/output.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { demoModel } from '../support/service.ts';
import { runOnTerminal } from '../support/terminal.ts';

// The real huggingface_hub downloads the demo model from a stand-in for the Hub.

const redCircle = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
const ID = 'owner/demo';
const WEIGHTS = 'model.safetensors';
const WEIGHTS_BYTES = 3596416;
/** Slow enough that a test can come in between, which it does at a byte, not at a time. */
const SLOW = 2_000_000;

async function startBoth() {
  const hub = await HubServer.start();
  await hub.add(ID, demoModel);
  const client = await HubClient.start(hub.url);
  return { hub, client };
}

/** The ids that a person is offered. */
async function offered({ program, env }: HubClient): Promise<string[]> {
  const saved = process.env['HF_HOME'];
  process.env['HF_HOME'] = env['HF_HOME'];
  try {
    const found = await findModels({ program, places: [], maxConcurrency: 1 });
    return found.map(({ path }) => path);
  } finally {
    if (saved === undefined) delete process.env['HF_HOME'];
    else process.env['HF_HOME'] = saved;
  }
}

/** A copy of the demo model, changed, in a folder that the test cleans up. */
async function changedModel(change: (folder: string) => Promise<unknown>) {
  const folder = await mkdtemp(join(tmpdir(), 'sightglass-model-'));
  await cp(demoModel, folder, { recursive: true });
  await change(folder);
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

const failure = (error: unknown) => (error as { reason?: string }).reason;

test('a model comes with its progress told, is offered only when it is whole, and can be served', async () => {
  const { hub, client } = await startBoth();
  await using _ = hub;
  await using __ = client;
  hub.pace.bytesPerSecond = SLOW / 4;
  const arriving = client.downloads.start(ID);
  await hub.pace.sent(WEIGHTS, 1_000_000);
  assert.deepEqual(await offered(client), []);
  hub.pace.bytesPerSecond = undefined;
  const folder = await arriving;
  assert.deepEqual((await readdir(folder)).sort(), (await readdir(demoModel)).filter(isWanted));
  assert.deepEqual(await offered(client), [ID]);
  assert.deepEqual(client.downloads.list, []);
  assert.deepEqual(client.phases.slice(0, 2), ['starting', 'downloading']);
  const done = client.told.map(({ doneBytes }) => doneBytes);
  assert.deepEqual(
    done,
    done.toSorted((a, b) => a - b),
  );
  const speeds = client.told.map(({ bytesPerSecond = 0 }) => bytesPerSecond);
  assert.ok(Math.max(...speeds) > 100_000);
  assert.ok(client.told.some(({ secondsLeft = 0 }) => secondsLeft > 0));
  const { problem } = await inspectModel(ID, { program: client.program, maxConcurrency: 1 });
  assert.equal(problem, undefined);
});

/** What mlx_vlm takes of a repository. */
function isWanted(name: string): boolean {
  return /\.(json|safetensors|jinja|txt|model|py)$/.test(name);
}

test('a download that was paused goes on where it was, and sends no byte twice', async () => {
  const { hub, client } = await startBoth();
  await using _ = hub;
  await using __ = client;
  hub.pace.bytesPerSecond = SLOW;
  const arriving = client.downloads.start(ID);
  await client.until(({ doneBytes }) => doneBytes > 1_500_000);
  await client.downloads.pause(ID);
  await assert.rejects(arriving, { name: 'AbortError' });
  assert.equal(client.downloads.list[0]?.phase, 'paused');
  hub.pace.bytesPerSecond = undefined;
  const before = hub.requests.length;
  await client.downloads.start(ID);
  const again = hub.requests
    .slice(before)
    .filter(({ method, path }) => method === 'GET' && path.endsWith(WEIGHTS));
  assert.deepEqual([...new Set(again.map(({ range }) => range !== undefined))], [true]);
  // What was on its way when it was paused comes again, and that is all.
  assert.ok(hub.pace.total(WEIGHTS) < WEIGHTS_BYTES + 600_000, `${hub.pace.total(WEIGHTS)}`);
});

test('kill -9 loses nothing but what was on its way; the next one lists it and goes on', async () => {
  const { hub, client } = await startBoth();
  await using _ = hub;
  await using __ = client;
  hub.pace.bytesPerSecond = SLOW;
  const cli = (args: string[]) =>
    execa(process.execPath, ['server/cli.ts', 'models', ...args], {
      env: client.env,
      reject: false,
    });
  const killed = cli(['fetch', ID]);
  await hub.pace.sent(WEIGHTS, 1_500_000);
  killed.kill('SIGKILL');
  await killed;
  await client.downloads.restore({ HF_HOME: client.home });
  const [left] = client.downloads.list;
  assert.deepEqual([left?.id, left?.phase, left?.totalBytes], [ID, 'paused', 3658741]);
  assert.ok((left?.doneBytes ?? 0) > 1_000_000, `${left?.doneBytes}`);
  assert.deepEqual(await offered(client), []);
  hub.pace.bytesPerSecond = undefined;
  const { stdout, stderr, exitCode } = await cli(['fetch', ID]);
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /^Model +owner\/demo\nArchitecture +qwen2_vl$/m);
  assert.match(stderr, /^owner\/demo: [\d.]+ MB of 3\.7 MB/m);
  assert.ok(hub.pace.total(WEIGHTS) < WEIGHTS_BYTES + 1_000_000, `${hub.pace.total(WEIGHTS)}`);
  assert.deepEqual(await findUnfinished({ HF_HOME: client.home }), []);
});

test('a model to be served that is not here is downloaded first', async () => {
  const { hub, client } = await startBoth();
  await using _ = hub;
  await using __ = client;
  const args = ['--model-path', ID, '--port', '0', '--host', '127.0.0.1'];
  for (const come of [WEIGHTS_BYTES, 0]) {
    const before = hub.pace.total(WEIGHTS);
    const child = execa(process.execPath, ['server/cli.ts', ...args], {
      env: { ...client.env, XDG_STATE_HOME: client.home },
      reject: false,
    });
    const banner = await readUntil(child.stdout, /Logs: .*\n/);
    assert.match(banner, /Sightglass serves owner\/demo on /);
    assert.equal(hub.pace.total(WEIGHTS) - before, come);
    const url = /http:\/\/localhost:\d+/.exec(banner)?.[0] ?? '';
    const { status } = await post(url, question(redCircle));
    assert.equal(status, 200);
    child.kill('SIGTERM');
    assert.equal((await child).exitCode, 0);
  }
});

test('on a terminal there is a bar, and Ctrl-C pauses', async () => {
  const { hub, client } = await startBoth();
  await using _ = hub;
  await using __ = client;
  hub.pace.bytesPerSecond = SLOW;
  const command = [process.execPath, 'server/cli.ts', 'models', 'fetch', ID];
  const shown = await runOnTerminal(command, client.env);
  assert.match(shown, /█+░+ \d+% {2}[\d.]+ MB of 3\.7 MB, [\d.]+ [kM]B\/s, \d+ s left/);
  assert.match(shown, /█{40} 100%/);
  await hub.add('owner/other', demoModel);
  const args = ['server/cli.ts', 'models', 'fetch', 'owner/other'];
  const child = execa(process.execPath, args, { env: client.env, reject: false });
  await readUntil(child.stderr, /of 3\.7 MB/);
  child.kill('SIGINT');
  const { exitCode, stderr } = await child;
  assert.equal(exitCode, 130);
  assert.match(stderr, /Paused\. The same command goes on with it; `models discard owner\/other`/);
});

test('a file that comes damaged is fetched again', async () => {
  const { hub, client } = await startBoth();
  await using _ = hub;
  await using __ = client;
  hub.corruptNext(WEIGHTS, 1);
  await client.downloads.start(ID);
  assert.equal(hub.pace.total(WEIGHTS), 2 * WEIGHTS_BYTES);
  assert.deepEqual(await offered(client), [ID]);
});

test('a file that comes damaged twice is refused, and never offered', async () => {
  const { hub, client } = await startBoth();
  await using _ = hub;
  await using __ = client;
  hub.corruptNext('tokenizer.json', 2);
  await assert.rejects(client.downloads.start(ID), (error) => failure(error) === 'corrupted');
  const [{ phase, problem } = { phase: '' }] = client.downloads.list;
  assert.equal(phase, 'failed');
  assert.match(problem?.message ?? '', /tokenizer\.json arrived damaged twice/);
  assert.deepEqual(await offered(client), []);
});

for (const [what, bytes] of [
  ['longer than it should be', WEIGHTS_BYTES + 1],
  ['as long as it should be, and wrong', WEIGHTS_BYTES],
  ['shorter, and wrong', 1_000_000],
] as const) {
  test(`what lies half-way on the disk, ${what}, does no harm`, async () => {
    const { hub, client } = await startBoth();
    await using _ = hub;
    await using __ = client;
    hub.pace.bytesPerSecond = SLOW;
    const arriving = client.downloads.start(ID).catch(() => {});
    await client.until(({ doneBytes }) => doneBytes > 500_000);
    await client.downloads.pause(ID);
    await arriving;
    const folder = join(client.home, 'hub/models--owner--demo/sightglass-download');
    const part = (await readdir(folder)).find((name) => name.endsWith('.part')) ?? '';
    await writeFile(join(folder, part), Buffer.alloc(bytes));
    hub.pace.bytesPerSecond = undefined;
    await client.downloads.start(ID);
    assert.deepEqual(await offered(client), [ID]);
  });
}

test('a connection that is cut is made again, for the rest', async () => {
  const { hub, client } = await startBoth();
  await using _ = hub;
  await using __ = client;
  hub.breakNext(WEIGHTS, 1_048_576);
  await client.downloads.start(ID);
  assert.ok(hub.pace.total(WEIGHTS) < WEIGHTS_BYTES + 600_000);
});

test('a network that goes away is waited for', async () => {
  const { hub, client } = await startBoth();
  await using _ = hub;
  await using __ = client;
  hub.pace.bytesPerSecond = SLOW;
  const arriving = client.downloads.start(ID);
  await hub.pace.sent(WEIGHTS, 1_000_000);
  hub.setDown(true);
  await client.until(({ phase }) => phase === 'waiting');
  assert.match(client.downloads.list[0]?.problem?.remedy ?? '', /goes on by itself/);
  hub.pace.bytesPerSecond = undefined;
  hub.setDown(false);
  await arriving;
  assert.deepEqual(await offered(client), [ID]);
});

test('a network that is not there at first is said at once', async () => {
  const { hub, client } = await startBoth();
  await using _ = hub;
  await using __ = client;
  hub.setDown(true);
  await assert.rejects(client.downloads.start(ID), (error) => failure(error) === 'network');
});

test('cancelling removes all that has come, and only that', async () => {
  const { hub, client } = await startBoth();
  await using _ = hub;
  await using __ = client;
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
  assert.deepEqual(await offered(client), [ID]); // the one that was whole before
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

test('of a newer revision only what has changed comes', async () => {
  const { hub, client } = await startBoth();
  await using _ = hub;
  await using __ = client;
  await client.downloads.start(ID);
  await using changed = await changedModel((folder) => writeFile(join(folder, 'new.txt'), 'new'));
  await hub.add(ID, changed.folder);
  const folder = await client.downloads.start(ID);
  assert.ok((await readdir(folder)).includes('new.txt'));
  assert.equal(hub.pace.total(WEIGHTS), WEIGHTS_BYTES);
});

test('a gated model says what to do, and comes with a token, which nobody else is told', async () => {
  const hub = await HubServer.start();
  await using _ = hub;
  await hub.add('owner/gated', demoModel, { isGated: true });
  const lines: string[] = [];
  const log = pino({ level: 'trace' }, { write: (line) => lines.push(line) });
  await using client = await HubClient.start(hub.url, { log });
  await assert.rejects(client.downloads.start('owner/gated'), (error) => {
    assert.match(
      (error as Error).message,
      /is gated: its authors ask.*\/owner\/gated, then give a token/,
    );
    return failure(error) === 'gated';
  });
  client.token = hub.strangersToken;
  await assert.rejects(client.downloads.start('owner/gated'), /your Hugging Face token may not/);
  client.token = `${hub.token}x`;
  await assert.rejects(
    client.downloads.start('owner/gated'),
    (error) => failure(error) === 'bad_token',
  );
  client.token = hub.token;
  await client.downloads.start('owner/gated');
  assert.ok(!lines.join().includes(hub.token));
  const cdn = hub.requests.filter(({ path }) => path.startsWith('/cdn/'));
  assert.deepEqual([...new Set(cdn.map(({ hasToken }) => hasToken))], [false]);
});

test('a model that is not there, and an id that is none, are told apart', async () => {
  const { hub, client } = await startBoth();
  await using _ = hub;
  await using __ = client;
  await assert.rejects(client.downloads.start('owner/none'), /There is no model owner\/none on/);
  await assert.rejects(client.downloads.start('none'), /none is not an id of the Hugging Face Hub/);
  await assert.rejects(client.downloads.start('../a/b'), /is not an id of the Hugging Face Hub/);
});

test('a type that mlx_vlm does not know is refused before the weights come', async () => {
  const { hub, client } = await startBoth();
  await using _ = hub;
  await using __ = client;
  await using unknown = await changedModel((folder) =>
    changeConfig(folder, { model_type: 'nobody_knows_vl' }),
  );
  await hub.add('owner/unknown', unknown.folder);
  await assert.rejects(
    client.downloads.start('owner/unknown'),
    /does not know the model type nobody_knows_vl/,
  );
  assert.equal(hub.pace.total(WEIGHTS), 0);
});

test('a repository without weights for MLX is refused before anything comes', async () => {
  const { hub, client } = await startBoth();
  await using _ = hub;
  await using __ = client;
  await using gguf = await changedModel(async (folder) => {
    await rm(join(folder, WEIGHTS));
    await writeFile(join(folder, 'model.gguf'), 'GGUF');
  });
  await hub.add('owner/gguf', gguf.folder);
  await assert.rejects(client.downloads.start('owner/gguf'), /no weights as \.safetensors files/);
});

test('the same model is not downloaded by two at once', async () => {
  const { hub, client } = await startBoth();
  await using _ = hub;
  await using __ = client;
  hub.pace.bytesPerSecond = SLOW;
  const arriving = client.downloads.start(ID);
  await hub.pace.sent(WEIGHTS, 500_000);
  const other = await HubClient.start(hub.url, { home: client.home });
  await assert.rejects(other.downloads.start(ID), (error) => failure(error) === 'busy');
  hub.pace.bytesPerSecond = undefined;
  await arriving;
});

/** A disk of its own, of so many bytes; undefined where nobody may mount one. */
async function mountDisk(bytes: number) {
  const folder = await mkdtemp(join(tmpdir(), 'sightglass-disk-'));
  const options = ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder];
  const { failed } = await execa('mount', options, { reject: false });
  if (failed) return undefined;
  const dispose = async () => {
    await execa('umount', ['-l', folder]);
    await rm(folder, { recursive: true });
  };
  return { folder, [Symbol.asyncDispose]: dispose };
}
const probe = await mountDisk(1_000_000);
await probe?.[Symbol.asyncDispose]();
const noDisk = probe === undefined ? 'no disk can be mounted here (it takes root on Linux)' : false;

test('a disk without room is said before anything comes', { skip: noDisk }, async () => {
  const { hub, client: unused } = await startBoth();
  await using _ = hub;
  await using __ = unused;
  await using disk = await mountDisk(3_000_000);
  const client = await HubClient.start(hub.url, { home: join(disk?.folder ?? '', 'home') });
  await assert.rejects(client.downloads.start(ID), (error) => {
    assert.match((error as Error).message, /not enough room on the disk: 0\.00 GB are to come/);
    return failure(error) === 'disk_full';
  });
  assert.equal(hub.pace.total(WEIGHTS), 0);
});

test('a disk that fills up in between is said, and with room it goes on', {
  skip: noDisk,
}, async () => {
  const { hub, client: unused } = await startBoth();
  await using _ = hub;
  await using __ = unused;
  await using disk = await mountDisk(120_000_000);
  const home = join(disk?.folder ?? '', 'home');
  const client = await HubClient.start(hub.url, { home });
  hub.pace.bytesPerSecond = SLOW;
  const arriving = client.downloads.start(ID);
  await hub.pace.sent(WEIGHTS, 500_000);
  const filler = join(disk?.folder ?? '', 'filler');
  await writeFile(filler, Buffer.alloc(120_000_000)).catch(() => {}); // as far as there is room
  await assert.rejects(arriving, (error) => {
    assert.match((error as Error).message, /The disk is full: .*Free some space, then go on/);
    return failure(error) === 'disk_full';
  });
  await rm(filler);
  hub.pace.bytesPerSecond = undefined;
  await client.downloads.start(ID);
  assert.deepEqual(await offered(client), [ID]);
});

test('a folder that nobody may write to is named', {
  skip: process.getuid?.() === 0 && 'root may write anywhere',
}, async () => {
  const { hub, client } = await startBoth();
  await using _ = hub;
  await using __ = client;
  await mkdir(join(client.home, 'hub'), { mode: 0o500 });
  await assert.rejects(client.downloads.start(ID), (error) => failure(error) === 'cannot_write');
});
