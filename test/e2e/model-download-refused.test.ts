import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import pino from 'pino';
import { changeConfig, changedModel } from '../support/changed-model.ts';
import { HubClient } from '../support/hub/hub-client.ts';
import { HubServer } from '../support/hub/hub-server.ts';
import { hubTest, ID, reasonOf, WEIGHTS } from '../support/hub/hub-test.ts';
import { demoModel } from '../support/service.ts';

// What is not downloaded, and what is said of it.

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
      /is gated: you must accept its terms.*\/owner\/gated, then enter a token/,
    );
    return reasonOf(error) === 'gated';
  });
  client.token = hub.strangersToken;
  await assert.rejects(
    client.downloads.start('owner/gated'),
    /your Hugging Face token has no access/,
  );
  client.token = `${hub.token}x`;
  await assert.rejects(
    client.downloads.start('owner/gated'),
    (error) => reasonOf(error) === 'bad_token',
  );
  client.token = hub.token;
  await client.downloads.start('owner/gated');
  assert.ok(!lines.join().includes(hub.token));
  const cdn = hub.requests.filter(({ path }) => path.startsWith('/cdn/'));
  assert.deepEqual([...new Set(cdn.map(({ hasToken }) => hasToken))], [false]);
});

hubTest('a model that is not there, and an id that is none, are told apart', async ({ client }) => {
  await assert.rejects(
    client.downloads.start('owner/none'),
    /has no model owner\/none, or it is private/,
  );
  await assert.rejects(client.downloads.start('none'), /none is not a Hugging Face model id/);
  await assert.rejects(client.downloads.start('../a/b'), /is not a Hugging Face model id/);
});

hubTest(
  'a type that mlx_vlm does not know is refused before the weights come',
  async ({ hub, client }) => {
    await using unknown = await changedModel((folder) =>
      changeConfig(folder, { model_type: 'nobody_knows_vl' }),
    );
    await hub.add('owner/unknown', unknown.folder);
    await assert.rejects(
      client.downloads.start('owner/unknown'),
      /does not know the model type nobody_knows_vl/,
    );
    assert.equal(hub.pace.total(WEIGHTS), 0);
  },
);

hubTest(
  'a repository without weights for MLX is refused before anything comes',
  async ({ hub, client }) => {
    await using gguf = await changedModel(async (folder) => {
      await rm(join(folder, WEIGHTS));
      await writeFile(join(folder, 'model.gguf'), 'GGUF');
    });
    await hub.add('owner/gguf', gguf.folder);
    await assert.rejects(client.downloads.start('owner/gguf'), /no weights as \.safetensors files/);
  },
);

hubTest('the same model is not downloaded by two at once', async ({ hub, client }) => {
  hub.pace.hold(WEIGHTS, 500_000);
  const arriving = client.downloads.start(ID);
  await hub.pace.sent(WEIGHTS, 500_000);
  const other = await HubClient.start(hub.url, { home: client.home });
  await assert.rejects(other.downloads.start(ID), (error) => reasonOf(error) === 'busy');
  hub.pace.release();
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

hubTest(
  'a disk without room is said before anything comes',
  async ({ hub }) => {
    await using disk = await mountDisk(3_000_000);
    const client = await HubClient.start(hub.url, { home: join(disk?.folder ?? '', 'home') });
    await assert.rejects(client.downloads.start(ID), (error) => {
      assert.match((error as Error).message, /Not enough disk space: 0\.00 GB are needed/);
      return reasonOf(error) === 'disk_full';
    });
    assert.equal(hub.pace.total(WEIGHTS), 0);
  },
  { skip: noDisk },
);

hubTest(
  'a disk that fills up in between is said, and with room it goes on',
  async ({ hub }) => {
    await using disk = await mountDisk(120_000_000);
    const home = join(disk?.folder ?? '', 'home');
    const client = await HubClient.start(hub.url, { home });
    hub.pace.hold(WEIGHTS, 500_000);
    const arriving = client.downloads.start(ID);
    await hub.pace.sent(WEIGHTS, 500_000);
    const filler = join(disk?.folder ?? '', 'filler');
    await writeFile(filler, Buffer.alloc(120_000_000)).catch(() => {}); // as far as there is room
    hub.pace.release();
    await assert.rejects(arriving, (error) => {
      assert.match((error as Error).message, /The disk is full: .*Free some space, then continue/);
      return reasonOf(error) === 'disk_full';
    });
    await rm(filler);
    await client.downloads.start(ID);
    assert.deepEqual(await client.offered(), [ID]);
  },
  { skip: noDisk },
);

hubTest(
  'a folder that nobody may write to is named',
  async ({ client }) => {
    await mkdir(join(client.home, 'hub'), { mode: 0o500 });
    await assert.rejects(client.downloads.start(ID), (error) => reasonOf(error) === 'cannot_write');
  },
  { skip: process.getuid?.() === 0 && 'root may write anywhere' },
);
