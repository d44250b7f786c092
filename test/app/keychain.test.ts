import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { post } from '../support/chat.ts';
import { noChromium } from '../support/chromium.ts';
import { type StubbedApp, startStubbed, textQuestion } from '../support/packaged-app.ts';
import { showState, showView } from '../support/sightglass-app.ts';

const KEY = 'sk-of-the-keychain';
/** As the stand-in's safeStorage encrypts it. */
const encrypt = (text: string) =>
  Buffer.concat([
    Buffer.from('stand-in:'),
    Buffer.from(Buffer.from(text).map((byte) => byte ^ 0xff)),
  ]).toString('base64');
const stored = { apiKeySecret: encrypt(KEY), hubTokenSecret: encrypt('hf_token') };

/** An app that is open to the network, its key in a keychain that is locked. */
const startLocked = () =>
  startStubbed(
    { host: '0.0.0.0' },
    {
      stored,
      isKeychainOpen: false,
      onStart: (stub) => {
        stub.ready();
        void stub.requests.at(0).then(({ id }) => stub.answer(id, 'Hello.'));
      },
    },
  );
const content = async ({ settingsFile }: StubbedApp) =>
  JSON.parse(await readFile(settingsFile, 'utf8'));

describe('an app whose secrets are in a locked keychain', { skip: noChromium }, () => {
  let running: StubbedApp;
  before(async () => {
    running = await startLocked();
  });
  after(() => running?.[Symbol.asyncDispose]());

  test('the server does not start without its key, and says why', async () => {
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

test('the server starts once its locked key has been removed', { skip: noChromium }, async () => {
  await using running = await startLocked();
  const { page, url } = running;
  await showState(running, 'Failed');
  await showView(running, 'Settings');
  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByText('Without an API key, anyone on your network can use the model.').waitFor();
  await page.getByRole('button', { name: 'Apply' }).click();
  await showState(running, 'Ready');
  assert.equal((await post(url, textQuestion)).status, 200);
  assert.ok(!('apiKeySecret' in (await content(running))));
  assert.equal((await content(running)).hubTokenSecret, stored.hubTokenSecret);
});
