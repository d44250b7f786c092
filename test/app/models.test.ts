import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { post, question } from '../support/chat.ts';
import { HubServer } from '../support/hub/hub-server.ts';
import { makeZoo, SPECIMENS } from '../support/model-zoo.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { demoModel } from '../support/service.ts';
import { appTest, type SightglassApp, showState } from '../support/sightglass-app.ts';

const image = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
const ID = 'owner/demo';
const WEIGHTS = 'model.safetensors';

/** Opens the panel at its models. */
async function showModels({ app, page }: SightglassApp): Promise<void> {
  const { windows } = await app.state();
  if (!windows.some(({ isVisible }) => isVisible)) await app.clickTray();
  await page.getByRole('tab', { name: 'Models' }).click();
}

async function startHub(options: { isGated?: boolean } = {}): Promise<HubServer> {
  const hub = await HubServer.start();
  await hub.add(ID, demoModel, options);
  return hub;
}

async function askFor(id: string, { page }: SightglassApp): Promise<void> {
  await page.getByLabel('or a Hugging Face id').fill(id);
  await page.locator('form').getByRole('button', { name: 'Download', exact: true }).click();
}

appTest('the panel says of every broken model what is wrong with it', async (start) => {
  const zoo = await mkdtemp(join(tmpdir(), 'sightglass-zoo-'));
  try {
    await makeZoo(zoo);
    await using running = await start({ modelFolders: [zoo] });
    const { page } = running;
    await showModels(running);
    const count = Object.keys(SPECIMENS).length;
    await page.getByText(`Cannot be used (${count})`).click();
    for (const [name, { words }] of Object.entries(SPECIMENS)) {
      const row = page.locator('.unusable-row').filter({
        has: page.locator('.model-name').getByText(name, { exact: true }),
      });
      await row.getByText(words).waitFor();
    }
    await page.getByRole('button', { name: /^good/ }).click();
    await page.getByRole('button', { name: /^good.*Serving/ }).waitFor();
    assert.equal((await running.storedSettings())['modelPath'], join(zoo, 'good'));
  } finally {
    await rm(zoo, { recursive: true });
  }
});

appTest('a model is downloaded, paused, gone on with, and served', async (start) => {
  await using hub = await startHub();
  await using running = await start({ hubEndpoint: hub.url });
  const { app, page, url } = running;
  await showModels(running);
  hub.pace.bytesPerSecond = 1_000_000;
  hub.pace.hold(WEIGHTS, 1_000_000);
  await askFor(ID, running);
  await app.until(({ blockers }) => blockers.length === 1); // the Mac does not sleep over it
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
  const { status, body } = await post(url, question(image));
  assert.deepEqual([status, body.model], [200, ID]);
});

appTest('the first model may be one that is downloaded: here, it is served', async (start) => {
  await using hub = await startHub();
  await using running = await start({ modelPath: undefined, hubEndpoint: hub.url });
  const { page, url } = running;
  await page.getByRole('heading', { name: 'Which model should answer?' }).waitFor();
  hub.pace.hold(WEIGHTS, 500_000);
  await askFor(ID, running);
  await hub.pace.sent(WEIGHTS, 500_000);
  await page.getByRole('button', { name: `Pause the download of ${ID}` }).click();
  await page.getByText(/^Paused · /).waitFor();
  hub.pace.release();
  await page.getByRole('button', { name: `Resume the download of ${ID}` }).click();
  await showState(running, 'Ready');
  assert.equal((await post(url, question(image))).body.model, ID);
});

appTest('a download is cancelled only when that is said twice', async (start) => {
  await using hub = await startHub();
  await using running = await start({ hubEndpoint: hub.url });
  const { page } = running;
  await showModels(running);
  hub.pace.bytesPerSecond = 1_000_000;
  hub.pace.hold(WEIGHTS, 1_000_000);
  await askFor(ID, running);
  await hub.pace.sent(WEIGHTS, 1_000_000);
  await page.getByText(/of 3.7 MB · /).waitFor();
  await page.getByRole('button', { name: `Cancel the download of ${ID}` }).click();
  await page.getByRole('button', { name: /^Delete / }).click();
  await page.getByRole('progressbar', { name: `Download of ${ID}` }).waitFor({ state: 'detached' });
});

appTest('a gated model takes a token, which nobody is told again', async (start) => {
  await using hub = await startHub({ isGated: true });
  await using running = await start({ hubEndpoint: hub.url });
  const { app, page } = running;
  await showModels(running);
  await askFor(ID, running);
  await page.getByText(/is gated: you must accept/).waitFor();
  await page.getByLabel('Hugging Face token').fill(hub.token);
  await page.getByRole('button', { name: 'Save and Try Again' }).click();
  await page.getByRole('button', { name: new RegExp(`^${ID}`) }).waitFor();
  await page.getByText('A Hugging Face token is stored in the keychain.').waitFor();
  assert.ok(!app.output().includes(hub.token), 'the log has the token');
  assert.ok(!(await page.content()).includes(hub.token), 'the panel has the token');
  assert.ok(!(await readFile(running.settingsFile, 'utf8')).includes(hub.token));
  await page.getByRole('button', { name: 'Remove the Hugging Face token' }).click();
  await page
    .getByText('A Hugging Face token is stored in the keychain.')
    .waitFor({ state: 'detached' });
});

appTest('the served model is checked, and its recommendation taken', async (start) => {
  await using running = await start();
  const { page } = running;
  await showState(running, 'Ready');
  await showModels(running);
  await page.getByRole('button', { name: 'Check This Model' }).click();
  await page.getByRole('progressbar', { name: 'Check of the model' }).waitFor();
  await page.getByText('All 8 answers were the same alone and concurrently.').waitFor();
  const use = page.getByRole('button', { name: /^Use [124]$/ });
  const isSet = page.getByText('In Use', { exact: true });
  await use.or(isSet).first().waitFor();
  if (await use.isVisible()) await use.click();
  await isSet.waitFor();
});
