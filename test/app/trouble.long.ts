import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildApp } from '../support/built-panel.ts';
import { noChromium } from '../support/chromium.ts';
import { startStubbed } from '../support/packaged-app.ts';
import { demoModel } from '../support/service.ts';
import { hasIcon, onStandIn, showState, showView } from '../support/sightglass-app.ts';
import { makeEmptyFolder, onStart } from './empty-folder.ts';

// Stub runtimes, which fail on command. `e2e` tests the same failures with the real runtime.

const skip = noChromium;

test('if its port is taken, the app offers the next free one', { skip }, async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  try {
    await using running = await startStubbed({ port });
    const { page } = running;
    await showState(running, 'Failed');
    await page.getByRole('alert').getByText(`Port ${port} is already in use.`).waitFor();
    await page.getByRole('button', { name: /^Use Port/ }).click();
    await showState(running, 'Ready');
    const used = Number((await running.storedSettings())['port']);
    assert.ok(used > port);
    assert.equal((await fetch(`http://127.0.0.1:${used}/health`)).status, 200);
  } finally {
    other.close();
  }
});

test('a folder without a model is reported, and another one can be chosen', { skip }, async (t) => {
  const empty = await makeEmptyFolder(t);
  await using running = await startStubbed({ modelPath: empty }, { onStart });
  const { app, page } = running;
  await showState(running, 'Failed');
  const alert = page.getByRole('alert');
  await alert
    .getByText(/is broken/)
    .first()
    .waitFor();
  await app.until(hasIcon('failed'));
  await showView(running, 'Models');
  await app.answerDialog({ paths: [demoModel] });
  await page.getByRole('button', { name: 'Choose a Folder…' }).click();
  await page.getByText('Chosen. The model is being loaded.').waitFor();
  await showState(running, 'Ready');
  await alert.waitFor({ state: 'detached' });
});

test('an app that cannot read its settings reports it and quits', { skip }, async (t) => {
  await buildApp();
  const home = await mkdtemp(join(tmpdir(), 'sightglass-home-'));
  t.after(() => rm(home, { recursive: true }));
  // A link to itself cannot be read, not even by root.
  await symlink('settings.json', join(home, 'settings.json'));
  const app = await onStandIn()(home, { HOME: home, XDG_STATE_HOME: home });
  t.after(() => app.stop());
  const { dialogs } = await app.until((state) => state.dialogs.length > 0);
  assert.equal(dialogs[0]?.options['message'], 'Sightglass cannot start.');
  assert.match(String(dialogs[0]?.options['detail']), /ELOOP.*settings\.json.*check/s);
  await app.answerDialog({ button: 'Quit' });
  assert.equal(await app.exitCode, 1);
});
