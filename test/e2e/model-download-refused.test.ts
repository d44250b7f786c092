import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import pino from 'pino';
import { HubClient } from '../support/hub/hub-client.ts';
import { HubServer } from '../support/hub/hub-server.ts';
import { hubTest, ID, reasonOf, WEIGHTS } from '../support/hub/hub-test.ts';
import { demoModel } from '../support/service.ts';
import { mountDisk, noDisk } from './mounted-disk.ts';

// Downloads that are refused, and the reasons.

test('a gated model is downloaded with a token, which is neither logged nor sent to other hosts', async () => {
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

hubTest(
  'too little disk space is reported before anything is downloaded',
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
