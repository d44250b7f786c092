import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { changeConfig, changedModel } from '../support/changed-model.ts';
import { HubClient } from '../support/hub/hub-client.ts';
import { hubTest, ID, reasonOf, WEIGHTS } from '../support/hub/hub-test.ts';
import { mountDisk, noDisk } from './mounted-disk.ts';

hubTest('a missing model and an invalid id get different errors', async ({ client }) => {
  await assert.rejects(
    client.downloads.start('owner/none'),
    /has no model owner\/none, or it is private/,
  );
  await assert.rejects(client.downloads.start('none'), /none is not a Hugging Face model id/);
  await assert.rejects(client.downloads.start('../a/b'), /is not a Hugging Face model id/);
});

hubTest(
  'a model type that mlx_vlm does not know is refused before the weights are downloaded',
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
  'a repository without MLX weights is refused before anything is downloaded',
  async ({ hub, client }) => {
    await using gguf = await changedModel(async (folder) => {
      await rm(join(folder, WEIGHTS));
      await writeFile(join(folder, 'model.gguf'), 'GGUF');
    });
    await hub.add('owner/gguf', gguf.folder);
    await assert.rejects(client.downloads.start('owner/gguf'), /no weights as \.safetensors files/);
  },
);

hubTest(
  'two processes cannot download the same model at the same time',
  async ({ hub, client }) => {
    hub.pace.hold(WEIGHTS, 500_000);
    const downloading = client.downloads.start(ID);
    await hub.pace.sent(WEIGHTS, 500_000);
    const other = await HubClient.start(hub.url, { home: client.home });
    await assert.rejects(other.downloads.start(ID), (error) => reasonOf(error) === 'busy');
    hub.pace.release();
    await downloading;
  },
);

hubTest(
  'a download that fills the disk is reported, and continues once there is space',
  async ({ hub }) => {
    await using disk = await mountDisk(120_000_000);
    const home = join(disk?.folder ?? '', 'home');
    const client = await HubClient.start(hub.url, { home });
    hub.pace.hold(WEIGHTS, 500_000);
    const downloading = client.downloads.start(ID);
    await hub.pace.sent(WEIGHTS, 500_000);
    const filler = join(disk?.folder ?? '', 'filler');
    await writeFile(filler, Buffer.alloc(120_000_000)).catch(() => {}); // as far as there is room
    hub.pace.release();
    await assert.rejects(downloading, (error) => {
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
  'a folder without write permission is reported',
  async ({ client }) => {
    await mkdir(join(client.home, 'hub'), { mode: 0o500 });
    await assert.rejects(client.downloads.start(ID), (error) => reasonOf(error) === 'cannot_write');
  },
  { skip: process.getuid?.() === 0 && 'root may write anywhere' },
);
