import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { post } from '../support/chat.ts';
import { noChromium } from '../support/chromium.ts';
import { textQuestion } from '../support/packaged-app.ts';
import { download, ID, type ModelsApp, startModelsApp, WEIGHTS } from './models-app.ts';

describe('the models of an app', { skip: noChromium }, () => {
  let running: ModelsApp;
  before(async () => {
    running = await startModelsApp();
  });
  after(() => running?.[Symbol.asyncDispose]());

  test('clicking a model serves it', async () => {
    const { page } = running;
    await page.getByRole('button', { name: /^good/ }).click();
    await page.getByRole('button', { name: /^good.*Serving/ }).waitFor();
    assert.equal((await running.storedSettings())['modelPath'], join(running.folder, 'good'));
  });

  test('a download can be paused and resumed, and its model served', async () => {
    const { app, hub, page, url } = running;
    hub.pace.bytesPerSecond = 1_000_000;
    hub.pace.hold(WEIGHTS, 1_000_000);
    await download(ID, running);
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
});
