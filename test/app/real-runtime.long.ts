import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endless, post, question } from '../support/chat.ts';
import { HubServer } from '../support/hub/hub-server.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { demoModel } from '../support/service.ts';
import {
  appTest,
  describeApp,
  hasIcon,
  type SightglassApp,
  showState,
  showView,
} from '../support/sightglass-app.ts';

// What requests.test.ts, trouble.test.ts and models.test.ts show with stub runtimes, with the real
// one, and under Electron where there is one.

const image = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
const ID = 'owner/demo';
const WEIGHTS = 'model.safetensors';

/** A long request, in an app that is ready. */
async function startWork({ app, url }: SightglassApp, body: object = {}) {
  await app.until(hasIcon('ready'));
  const answer = post(url, { ...endless(image), ...body });
  await app.until(({ blockers }) => blockers.length === 1);
  return { answer };
}

describeApp('the app with the demo model', {}, (scenario) => {
  scenario('the menu copies diagnostics', async ({ app }) => {
    await app.until(hasIcon('ready'));
    await app.answerDialog({ button: 'OK' });
    await app.openTrayMenu();
    await app.clickMenuItem('Copy Diagnostics');
    const { clipboard } = await app.until((state) => /^Sightglass \d/.test(state.clipboard));
    assert.match(clipboard, /^✓ GPU: /m);
    assert.match(clipboard, /^✓ Port: \d+: Sightglass serves there \(ready\)$/m);
    assert.match(clipboard, /^✓ Model: /m);
  });

  scenario('the served model is checked, and its recommendation applied', async (running) => {
    const { page } = running;
    await showView(running, 'Models');
    await page.getByRole('button', { name: 'Check This Model' }).click();
    await page.getByRole('progressbar', { name: 'Check of the model' }).waitFor();
    await page.getByText('All 8 answers were the same alone and concurrently.').waitFor();
    const use = page.getByRole('button', { name: /^Use [124]$/ });
    const isSet = page.getByText('In Use', { exact: true });
    await use.or(isSet).first().waitFor();
    if (await use.isVisible()) await use.click();
    await isSet.waitFor();
  });

  scenario('the panel shows a crash of the runtime and the recovery', async (running) => {
    const { app, page, url } = running;
    await showState(running, 'Ready');
    const line = app
      .output()
      .split('\n')
      .findLast((each) => each.includes('"runtime loading"'));
    process.kill(JSON.parse(line ?? '{}').runtimePid, 'SIGKILL');
    const alert = page.getByRole('alert');
    await alert.getByText(/process ended unexpectedly \(killed by SIGKILL\)/).waitFor();
    await alert.getByText('It was restarted').waitFor();
    await showState(running, 'Ready');
    assert.equal((await post(url, question(image))).status, 200);
    await alert.getByRole('button', { name: 'Dismiss' }).click();
    await alert.waitFor({ state: 'detached' });
  });

  scenario('if a model cannot be loaded, the app returns to the previous one', async (running) => {
    const { app, page, url } = running;
    const empty = await mkdtemp(join(tmpdir(), 'sightglass-empty-'));
    try {
      await showView(running, 'Models');
      await app.answerDialog({ paths: [empty] });
      await page.getByRole('button', { name: 'Choose a Folder…' }).click();
      const alert = page.getByRole('alert');
      await alert.getByText(/could not be loaded, so demo is used again/).waitFor();
      await showState(running, 'Ready');
      assert.equal((await post(url, question(image))).status, 200);
    } finally {
      await rm(empty, { recursive: true });
    }
  });

  scenario('Stop waits for the running request', async (running) => {
    const { page } = running;
    await showState(running, 'Ready');
    const { answer } = await startWork(running, { max_tokens: 1200 });
    await showState(running, 'Busy');
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.getByRole('button', { name: 'Let Them Finish' }).click();
    assert.equal((await answer).status, 200);
    await showState(running, 'Stopped');
  });
});

appTest('the very first model can be a download, which is then served', async (start) => {
  await using hub = await HubServer.start();
  await hub.add(ID, demoModel, {});
  await using running = await start({ modelPath: undefined, hubEndpoint: hub.url });
  const { page, url } = running;
  await page.getByRole('heading', { name: 'Which model should answer?' }).waitFor();
  await page.getByLabel('or a Hugging Face id').fill(ID);
  await page.locator('form').getByRole('button', { name: 'Download', exact: true }).click();
  await showState(running, 'Ready');
  assert.equal((await post(url, question(image))).body.model, ID);
});

appTest('a download is cancelled only after a confirmation', async (start) => {
  await using hub = await HubServer.start();
  await hub.add(ID, demoModel, {});
  await using running = await start({ hubEndpoint: hub.url, startServerAtLaunch: false });
  const { page } = running;
  await showView(running, 'Models');
  hub.pace.bytesPerSecond = 1_000_000;
  hub.pace.hold(WEIGHTS, 1_000_000);
  await page.getByLabel('or a Hugging Face id').fill(ID);
  await page.locator('form').getByRole('button', { name: 'Download', exact: true }).click();
  await hub.pace.sent(WEIGHTS, 1_000_000);
  await page.getByText(/of 3.7 MB · /).waitFor();
  await page.getByRole('button', { name: `Cancel the download of ${ID}` }).click();
  await page.getByRole('button', { name: /^Delete / }).click();
  await page.getByRole('progressbar', { name: `Download of ${ID}` }).waitFor({ state: 'detached' });
});

appTest('a server that does not start with the app waits for the button', async (start) => {
  await using running = await start({ startServerAtLaunch: false });
  await showState(running, 'Stopped');
  await running.page.getByRole('button', { name: 'Start', exact: true }).click();
  await showState(running, 'Ready');
});

appTest('quitting during a request asks first, and can wait for it', async (start) => {
  await using running = await start();
  const { app } = running;
  const { answer } = await startWork(running, { max_tokens: 1200 });
  await app.answerDialog({ button: 'Cancel' });
  await app.quit();
  await app.answerDialog({ button: 'Let Them Finish' });
  await app.quit();
  assert.equal((await answer).status, 200);
  assert.equal(await app.exitCode, 0);
});

appTest('"Quit Now" cancels the running request', async (start) => {
  await using running = await start();
  const { app } = running;
  const { answer } = await startWork(running);
  await app.answerDialog({ button: 'Quit Now' });
  await app.quit();
  assert.equal((await answer).status, 503);
  assert.equal(await app.exitCode, 0);
});

appTest('logging out cancels the running request without asking', async (start) => {
  await using running = await start();
  const { app } = running;
  const { answer } = await startWork(running);
  await app.emitPower('shutdown');
  assert.equal((await answer).status, 503);
  assert.equal(await app.exitCode, 0);
});
