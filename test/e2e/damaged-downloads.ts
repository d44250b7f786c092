import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspectModel } from '../../server/models/find-models.ts';
import { hubTest, ID, WEIGHTS, WEIGHTS_BYTES } from '../support/hub/hub-test.ts';

/** Tests that a partial download with these bytes on the disk does no harm. */
export function testPartialFile(what: string, bytes: number): void {
  hubTest(`a partial file that is ${what} does no harm`, async ({ hub, client }) => {
    hub.pace.hold(WEIGHTS, 1_000_000);
    const arriving = client.downloads.start(ID).catch(() => {});
    await client.until(({ doneBytes }) => doneBytes > 500_000);
    await client.downloads.pause(ID);
    await arriving;
    hub.pace.release();
    const folder = join(client.home, 'hub/models--owner--demo/sightglass-download');
    const part = (await readdir(folder)).find((name) => name.endsWith('.part')) ?? '';
    await writeFile(join(folder, part), Buffer.alloc(bytes));
    await client.downloads.start(ID);
    assert.deepEqual(await client.offered(), [ID]);
  });
}

/** Tests that a download repairs a model whose weights were damaged in this way. */
export function testRepair(what: string, damage: (file: string) => Promise<unknown>): void {
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
