import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { post } from '../support/chat.ts';
import { noChromium } from '../support/chromium.ts';
import { type StubbedApp, textQuestion } from '../support/packaged-app.ts';
import { showState, showView } from '../support/sightglass-app.ts';
import { content, KEY, startLocked, stored } from './locked-keychain.ts';

describe('an app whose secrets are in a locked keychain', { skip: noChromium }, () => {
  let running: StubbedApp;
  before(async () => {
    running = await startLocked();
  });
  after(() => running?.[Symbol.asyncDispose]());

  test('the server does not start without its key, and the panel says why', async () => {
    const { page, url } = running;
    await showState(running, 'Failed');
    const alert = page.getByRole('alert');
    await alert.getByText(/API key could not be read from the keychain/).waitFor();
    await assert.rejects(fetch(`${url}/health`));
    await page.getByRole('button', { name: 'Try Again' }).click();
    await alert.getByText(/API key could not be read/).waitFor();
    await assert.rejects(fetch(`${url}/health`));
  });

  test('other settings can be changed, and the secrets remain stored', async () => {
    const { page, url } = running;
    await showView(running, 'Settings');
    await page.getByLabel('Requests that may wait').fill('7');
    await page.getByRole('button', { name: 'Apply' }).click();
    await page.getByText('Applied.', { exact: true }).waitFor();
    const { settings, ...secrets } = await content(running);
    assert.equal(settings.queueSize, 7);
    assert.deepEqual([secrets.apiKeySecret, secrets.hubTokenSecret], Object.values(stored));
    await assert.rejects(fetch(`${url}/health`));
    await showView(running, 'Models');
    await page.getByText(/Hugging Face token could not be read from the keychain/).waitFor();
  });

  test('the server starts with its key once the keychain is unlocked', async () => {
    const { app, page, url } = running;
    await showView(running, 'Overview');
    await app.setKeychain(true);
    await page.getByRole('button', { name: 'Try Again' }).click();
    await showState(running, 'Ready');
    assert.equal((await post(url, textQuestion)).status, 401);
    const headers = { authorization: `Bearer ${KEY}` };
    assert.equal((await post(url, textQuestion, { headers })).status, 200);
  });
});
