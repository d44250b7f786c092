import assert from 'node:assert/strict';
import { test } from 'node:test';
import { post } from '../support/chat.ts';
import { noChromium } from '../support/chromium.ts';
import { startStubbed, textQuestion } from '../support/packaged-app.ts';
import { demoModel } from '../support/service.ts';
import { showState, showView } from '../support/sightglass-app.ts';
import { makeEmptyFolder, onStart } from './empty-folder.ts';

// Stub runtimes, which fail on command. `e2e` tests the same failures with the real runtime.

const skip = noChromium;

test('the panel shows a crash of the runtime and the recovery', { skip }, async () => {
  await using running = await startStubbed({}, { onStart: () => {} });
  const { page, stubs, url } = running;
  const first = await stubs.at(0);
  first.ready();
  await showState(running, 'Ready');
  first.kill();
  const alert = page.getByRole('alert');
  await alert.getByText(/process ended unexpectedly \(killed by SIGKILL\)/).waitFor();
  const second = await stubs.at(1);
  second.ready();
  await alert.getByText('It was restarted').waitFor();
  await showState(running, 'Ready');
  const answer = post(url, textQuestion);
  second.answer((await second.requests.at(0)).id, 'Hello.');
  assert.equal((await answer).status, 200);
  await alert.getByRole('button', { name: 'Dismiss' }).click();
  await alert.waitFor({ state: 'detached' });
});

test('if a model cannot be loaded, the app returns to the previous one', { skip }, async (t) => {
  const empty = await makeEmptyFolder(t);
  await using running = await startStubbed({}, { onStart });
  const { app, page } = running;
  await showState(running, 'Ready');
  await showView(running, 'Models');
  await app.answerDialog({ paths: [empty] });
  await page.getByRole('button', { name: 'Choose a Folder…' }).click();
  await page
    .getByRole('alert')
    .getByText(/could not be loaded, so demo is used again/)
    .waitFor();
  await showState(running, 'Ready');
  assert.match((await page.locator('header .model').textContent()) ?? '', /^demo/);
  assert.equal((await running.storedSettings())['modelPath'], demoModel);
});
