import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { noChromium } from '../support/chromium.ts';
import { makeZoo, SPECIMENS } from '../support/model-zoo.ts';
import { download, GATED, type ModelsApp, startModelsApp } from './models-app.ts';

describe('the models of an app', { skip: noChromium }, () => {
  let running: ModelsApp;
  before(async () => {
    running = await startModelsApp(makeZoo);
  });
  after(() => running?.[Symbol.asyncDispose]());

  test('every broken model is listed with its problem', async () => {
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

  test('a gated model asks for a token, which is never shown again', async () => {
    const { app, hub, page } = running;
    await download(GATED, running);
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
