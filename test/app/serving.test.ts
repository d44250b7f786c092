import assert from 'node:assert/strict';
import { post, question, textOf } from '../support/chat.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import {
  describeApp,
  hasIcon,
  isPanelOpen,
  showState,
  showView,
} from '../support/sightglass-app.ts';

// One app with the real runtime, from its first start on.

const png = await drawShape({ shape: 'circle', color: 'red' });
const image = toDataUrl(png, 'image/png');

describeApp('the app with the demo model', null, (scenario) => {
  scenario('the first start asks for a model; the demo model can be chosen', async (running) => {
    const { app, page, url } = running;
    await app.activate();
    assert.equal(hasIcon('stopped')(await app.state()), true);
    await page.getByRole('heading', { name: 'Which model should answer?' }).waitFor();
    await page.getByRole('button', { name: 'Try the Demo Model' }).click();
    await showState(running, 'Ready');
    await app.until(hasIcon('ready'));
    const answer = await post(url, question(image));
    assert.equal(textOf(answer), 'A red circle on a white background.');
    assert.equal((await running.storedSettings())['modelPath'], 'demo');
  });

  scenario('a picture dropped into the panel is described', async (running) => {
    const { page } = running;
    await showView(running, 'Try It');
    const file = { name: 'circle.png', mimeType: 'image/png', buffer: png };
    await page.locator('input[type=file]').setInputFiles(file);
    await page.getByRole('button', { name: 'Ask', exact: true }).click();
    await page.getByText(/9 tokens in/).waitFor();
    assert.equal(
      await page.locator('.answer').textContent(),
      'A red circle on a white background.',
    );
  });

  scenario('an app without secrets never asks for the keychain', async ({ app }) => {
    const { calls } = await app.state();
    assert.deepEqual(
      calls.filter(({ name }) => name.startsWith('safeStorage')),
      [],
    );
  });

  scenario('the menu stops and starts the server', async ({ app, url }) => {
    await app.openTrayMenu();
    await app.clickMenuItem('Stop');
    await app.until(hasIcon('stopped'));
    await assert.rejects(fetch(url));
    await app.openTrayMenu();
    await app.clickMenuItem('Start');
    await app.until(hasIcon('ready'));
  });

  scenario('the menu copies the URL and opens the settings', async ({ app, page, port }) => {
    await app.openTrayMenu();
    await app.clickMenuItem('Copy URL');
    await app.until(({ clipboard }) => clipboard === `http://127.0.0.1:${port}/v1`);
    const menu = await app.openTrayMenu();
    assert.ok(menu.some(({ label }) => label === 'Recent Models'));
    await app.clickMenuItem('Settings…');
    await page.getByRole('tab', { name: 'Settings', selected: true }).waitFor();
    await app.until(isPanelOpen);
  });

  scenario('a new API key is required at once and stored encrypted', async (running) => {
    const { page, url } = running;
    await showView(running, 'Settings');
    await page.getByRole('button', { name: 'Generate' }).click();
    const key = await page.getByLabel('API key', { exact: true }).inputValue();
    await page.getByRole('button', { name: 'Apply' }).click();
    await page.getByText('Applied.', { exact: true }).waitFor();
    assert.equal((await post(url, question(image))).status, 401);
    const headers = { authorization: `Bearer ${key}` };
    assert.equal((await post(url, question(image), { headers })).status, 200);
    assert.ok(!JSON.stringify(await running.storedSettings()).includes(key));
  });

  scenario('quitting ends the server and its runtime', async ({ app, url }) => {
    const line = app
      .output()
      .split('\n')
      .findLast((each) => each.includes('"runtime loading"'));
    const { runtimePid } = JSON.parse(line ?? '{}');
    assert.equal(process.kill(runtimePid, 0), true, 'it runs until then');
    await app.quit();
    assert.equal(await app.exitCode, 0);
    await assert.rejects(fetch(url));
    assert.throws(() => process.kill(runtimePid, 0), { code: 'ESRCH' });
  });
});
