import assert from 'node:assert/strict';
import { test } from 'node:test';
import { post } from '../support/chat.ts';
import { noChromium } from '../support/chromium.ts';
import { textQuestion } from '../support/packaged-app.ts';
import { showState, showView } from '../support/sightglass-app.ts';
import { content, startLocked, stored } from './locked-keychain.ts';

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
