import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { noChromium } from '../support/built-panel.ts';
import { post, question } from '../support/chat.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import {
  type SightglassApp,
  showState,
  startOnStandIn,
  startSightglass,
} from '../support/sightglass-app.ts';

const skip = noChromium;
const image = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
const KEY = 'sk-of-the-keychain';
/** As the stand-in's safeStorage encrypts it. */
const encrypt = (text: string) =>
  Buffer.concat([
    Buffer.from('stand-in:'),
    Buffer.from(Buffer.from(text).map((byte) => byte ^ 0xff)),
  ]).toString('base64');
const stored = { apiKeySecret: encrypt(KEY), hubTokenSecret: encrypt('hf_token') };

/** An app that is open to the network, its key in a keychain that is locked. */
const startLocked = () => startOnStandIn({ host: '0.0.0.0' }, { stored, isKeychainOpen: false });
const content = async ({ settingsFile }: SightglassApp) =>
  JSON.parse(await readFile(settingsFile, 'utf8'));

test('a server whose key the keychain refuses does not start, and says why', { skip }, async () => {
  await using running = await startLocked();
  const { app, page, url } = running;
  await showState(running, 'Failed');
  await page
    .getByRole('alert')
    .getByText(/API key could not be read from the keychain/)
    .waitFor();
  await app.until(({ tray }) => /failedTemplate/.test(tray?.image ?? ''));
  await assert.rejects(fetch(`${url}/health`), 'nothing is served without the key');
  await page.getByRole('button', { name: 'Try Again' }).click();
  await page
    .getByRole('alert')
    .getByText(/API key could not be read/)
    .waitFor();
  await assert.rejects(fetch(`${url}/health`));
  await app.setKeychain(true);
  await page.getByRole('button', { name: 'Try Again' }).click();
  await showState(running, 'Ready');
  assert.equal((await post(url, question(image))).status, 401);
  const headers = { authorization: `Bearer ${KEY}` };
  assert.equal((await post(url, question(image), { headers })).status, 200);
});

test('other settings can be changed, and the locked secrets stay stored', { skip }, async () => {
  await using running = await startLocked();
  const { page, url } = running;
  await showState(running, 'Failed');
  await page.getByRole('tab', { name: 'Settings' }).click();
  await page.getByLabel('Requests that may wait').fill('7');
  await page.getByRole('button', { name: 'Apply' }).click();
  await page.getByText('Applied.', { exact: true }).waitFor();
  const { settings, ...secrets } = await content(running);
  assert.equal(settings.queueSize, 7);
  assert.deepEqual([secrets.apiKeySecret, secrets.hubTokenSecret], Object.values(stored));
  await assert.rejects(fetch(`${url}/health`));
  await page.getByRole('tab', { name: 'Models' }).click();
  await page.getByText(/Hugging Face token could not be read from the keychain/).waitFor();
});

test('a server starts once its locked key has been removed', {
  skip,
}, async () => {
  await using running = await startLocked();
  const { page, url } = running;
  await showState(running, 'Failed');
  await page.getByRole('tab', { name: 'Settings' }).click();
  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByText('Without an API key, anyone on your network can use the model.').waitFor();
  await page.getByRole('button', { name: 'Apply' }).click();
  await showState(running, 'Ready');
  assert.equal((await post(url, question(image))).status, 200);
  assert.ok(!('apiKeySecret' in (await content(running))));
  assert.equal((await content(running)).hubTokenSecret, stored.hubTokenSecret);
});

test('an app without secrets never touches the keychain', { skip }, async () => {
  await using running = await startSightglass();
  const { app, page, url } = running;
  await showState(running, 'Ready');
  assert.equal((await post(url, question(image))).status, 200);
  await page.getByRole('tab', { name: 'Settings' }).click();
  await page.getByLabel('Requests that may wait').fill('7');
  await page.getByRole('button', { name: 'Apply' }).click();
  await page.getByText('Applied.', { exact: true }).waitFor();
  const { calls } = await app.state();
  assert.deepEqual(
    calls.filter(({ name }) => name.startsWith('safeStorage')),
    [],
  );
});
