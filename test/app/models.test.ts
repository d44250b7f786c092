import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { post } from '../support/chat.ts';
import { noChromium } from '../support/chromium.ts';
import { HubServer } from '../support/hub/hub-server.ts';
import { makeZoo, SPECIMENS } from '../support/model-zoo.ts';
import { type StubbedApp, startStubbed, textQuestion } from '../support/packaged-app.ts';
import { demoModel } from '../support/service.ts';
import { showView } from '../support/sightglass-app.ts';

// The real programs judge and download models; a stub runtime serves them.

const skip = noChromium;
const ID = 'owner/demo';
const GATED = 'owner/gated';
const WEIGHTS = 'model.safetensors';
const onStart: NonNullable<Parameters<typeof startStubbed>[1]>['onStart'] = (stub) => {
  stub.ready();
  void stub.requests.at(0).then(({ id }) => stub.answer(id, 'Hello.'));
};

async function askFor(id: string, { page }: StubbedApp): Promise<void> {
  await page.getByLabel('or a Hugging Face id').fill(id);
  await page.locator('form').getByRole('button', { name: 'Download', exact: true }).click();
}

describe('the models of an app', { skip }, () => {
  let hub: HubServer;
  let zoo: string;
  let running: StubbedApp;
  before(async () => {
    zoo = await mkdtemp(join(tmpdir(), 'sightglass-zoo-'));
    await makeZoo(zoo);
    hub = await HubServer.start();
    await hub.add(ID, demoModel, {});
    await hub.add(GATED, demoModel, { isGated: true });
    running = await startStubbed({ modelFolders: [zoo], hubEndpoint: hub.url }, { onStart });
    await showView(running, 'Models');
  });
  after(async () => {
    await running?.[Symbol.asyncDispose]();
    await hub?.[Symbol.asyncDispose]();
    await rm(zoo, { recursive: true });
  });

  test('every broken model is listed with what is wrong with it', async () => {
    const { page } = running;
    const count = Object.keys(SPECIMENS).length;
    await page.getByText(`Cannot be used (${count})`).click();
    for (const [name, { words }] of Object.entries(SPECIMENS)) {
      const row = page.locator('.unusable-row').filter({
        has: page.locator('.model-name').getByText(name, { exact: true }),
      });
      await row.getByText(words).waitFor();
    }
  });

  test('a model that is clicked is served', async () => {
    const { page } = running;
    await page.getByRole('button', { name: /^good/ }).click();
    await page.getByRole('button', { name: /^good.*Serving/ }).waitFor();
    assert.equal((await running.storedSettings())['modelPath'], join(zoo, 'good'));
  });

  test('a download can be paused and resumed, and its model served', async () => {
    const { app, page, url } = running;
    hub.pace.bytesPerSecond = 1_000_000;
    hub.pace.hold(WEIGHTS, 1_000_000);
    await askFor(ID, running);
    await app.until(({ blockers }) => blockers.length === 1); // the Mac stays awake meanwhile
    const bar = page.getByRole('progressbar', { name: `Download of ${ID}` });
    await hub.pace.sent(WEIGHTS, 1_000_000);
    await page.getByText(/of 3.7 MB · .*left/).waitFor();
    await page.getByRole('button', { name: `Pause the download of ${ID}` }).click();
    await page.getByText(/^Paused · /).waitFor();
    await app.until(({ blockers }) => blockers.length === 0);
    hub.pace.bytesPerSecond = undefined;
    hub.pace.release();
    await page.getByRole('button', { name: `Resume the download of ${ID}` }).click();
    await bar.waitFor({ state: 'detached' });
    await page.getByRole('button', { name: new RegExp(`^${ID}`) }).click();
    await page.getByRole('button', { name: new RegExp(`^${ID}.*Serving`) }).waitFor();
    assert.equal((await running.storedSettings())['modelPath'], ID);
    const { status, body } = await post(url, textQuestion);
    assert.deepEqual([status, body.model], [200, ID]);
  });

  test('a gated model asks for a token, which is never shown again', async () => {
    const { app, page } = running;
    await askFor(GATED, running);
    await page.getByText(/is gated: you must accept/).waitFor();
    await page.getByLabel('Hugging Face token').fill(hub.token);
    await page.getByRole('button', { name: 'Save and Try Again' }).click();
    await page.getByRole('button', { name: new RegExp(`^${GATED}`) }).waitFor();
    await page.getByText('A Hugging Face token is stored in the keychain.').waitFor();
    assert.ok(!app.output().includes(hub.token), 'the log has the token');
    assert.ok(!(await page.content()).includes(hub.token), 'the panel has the token');
    assert.ok(!(await readFile(running.settingsFile, 'utf8')).includes(hub.token));
    await page.getByRole('button', { name: 'Remove the Hugging Face token' }).click();
    const kept = page.getByText('A Hugging Face token is stored in the keychain.');
    await kept.waitFor({ state: 'detached' });
  });
});
