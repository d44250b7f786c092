import assert from 'node:assert/strict';
import { endless, post, question } from '../support/chat.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { appTest, type SightglassApp, showState } from '../support/sightglass-app.ts';

const image = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
const isShown = ({ windows }: { windows: { isVisible: boolean }[] }) =>
  windows.some(({ isVisible }) => isVisible);

appTest(
  'it lives in the menu bar: no Dock icon, the panel under its icon, gone with the focus',
  async (start) => {
    await using running = await start();
    const { app } = running;
    const { isInDock, tray } = await app.state();
    assert.deepEqual([isInDock, tray?.isTemplate, tray?.hasRetina], [false, true, true]);
    await app.clickTray();
    await app.until(isShown);
    await app.clickTray();
    await app.until((state) => !isShown(state));
    await app.clickTray();
    await app.until(isShown);
    await app.blur();
    await app.until((state) => !isShown(state));
  },
);

appTest(
  'a click that takes the focus from the panel closes it, and does not open it again',
  async (start) => {
    await using running = await start();
    const { app } = running;
    await app.clickTray();
    await app.until(isShown);
    await Promise.all([app.blur(), app.clickTray()]); // in this order, in the time of one click
    assert.equal(isShown(await app.state()), false);
  },
);

appTest('a second launch shows the panel of the first', async (start) => {
  await using running = await start();
  await running.app.openSecondInstance();
  await running.app.until(isShown);
});

appTest('closing the window hides it, and the app goes on', async (start) => {
  await using running = await start();
  const { app } = running;
  await app.clickTray();
  await app.until(isShown);
  await app.closeWindow();
  await app.until((state) => !isShown(state));
  await app.clickTray();
  await app.until(isShown);
});

appTest(
  'the menu stops and starts the server, copies its address, opens the settings',
  async (start) => {
    await using running = await start();
    const { app, page, port } = running;
    await app.until(({ tray }) => /readyTemplate/.test(tray?.image ?? ''));
    await app.openTrayMenu();
    await app.clickMenuItem('Copy URL');
    await app.until(({ clipboard }) => clipboard === `http://127.0.0.1:${port}/v1`);
    await app.openTrayMenu();
    await app.clickMenuItem('Stop');
    await app.until(({ tray }) => /stoppedTemplate/.test(tray?.image ?? ''));
    await app.openTrayMenu();
    await app.clickMenuItem('Start');
    await app.until(({ tray }) => /readyTemplate/.test(tray?.image ?? ''));
    const menu = await app.openTrayMenu();
    const recent = menu.find(({ label }) => label === 'Recent Models');
    assert.equal(recent?.enabled, false, 'none was chosen in this home');
    await app.clickMenuItem('Settings…');
    await page.getByRole('tab', { name: 'Settings', selected: true }).waitFor();
  },
);

appTest('the menu copies diagnostics', async (start) => {
  await using running = await start();
  const { app } = running;
  await app.until(({ tray }) => /readyTemplate/.test(tray?.image ?? ''));
  await app.answerDialog({ button: 'OK' });
  await app.openTrayMenu();
  await app.clickMenuItem('Copy Diagnostics');
  const { clipboard } = await app.until((state) => /^Sightglass \d/.test(state.clipboard));
  assert.match(clipboard, /^✓ GPU: /m);
  assert.match(clipboard, /^✓ Port: \d+: Sightglass serves there \(ready\)$/m);
  assert.match(clipboard, /^✓ Model: /m);
});

appTest('stop waits for the request that runs; the icon says so', async (start) => {
  await using running = await start();
  const { app, page, url } = running;
  await showState(running, 'Ready');
  const answer = post(url, { ...endless(image), max_tokens: 1200 });
  await showState(running, 'Busy');
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await page.getByRole('button', { name: 'Let Them Finish' }).click();
  await showState(running, 'Finishing requests');
  assert.equal((await answer).status, 200);
  await showState(running, 'Stopped');
  await app.until(({ tray }) => /stoppedTemplate/.test(tray?.image ?? ''));
});

appTest('quitting without requests ends it, the runtime and all', async (start) => {
  await using running = await start();
  const { app, url } = running;
  await app.until(({ tray }) => /readyTemplate/.test(tray?.image ?? ''));
  await app.quit();
  assert.equal(await app.exitCode, 0);
  await assert.rejects(fetch(url));
});

/** A request that runs for long, in an app that is ready. */
async function startWork({ app, url }: SightglassApp, body: object = {}) {
  await app.until(({ tray }) => /readyTemplate/.test(tray?.image ?? ''));
  const answer = post(url, { ...endless(image), ...body });
  await app.until(({ blockers }) => blockers.length === 1);
  return { answer };
}

appTest('quitting with a request asks, stays when told to, and lets it finish', async (start) => {
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

appTest('quitting now cancels what runs, and its client is told', async (start) => {
  await using running = await start();
  const { app } = running;
  const { answer } = await startWork(running);
  await app.answerDialog({ button: 'Quit Now' });
  await app.quit();
  assert.equal((await answer).status, 503);
  assert.equal(await app.exitCode, 0);
});

appTest('logging out cancels what runs, and asks nothing', async (start) => {
  await using running = await start();
  const { app } = running;
  const { answer } = await startWork(running);
  await app.emitPower('shutdown');
  assert.equal((await answer).status, 503);
  assert.equal(await app.exitCode, 0);
});

appTest('no deadline passes while the Mac sleeps', async (start) => {
  await using running = await start({ queueTimeoutSeconds: 3 });
  const { app, url } = running;
  await app.until(({ tray }) => /readyTemplate/.test(tray?.image ?? ''));
  await app.emitPower('suspend');
  // Takes longer than its deadline; the clock stands still until the request is through.
  const answer = await post(url, { ...endless(image), max_tokens: 1200 });
  await app.emitPower('resume');
  assert.equal(answer.status, 200);
  assert.equal((await post(url, { ...endless(image), max_tokens: 3900 })).status, 504);
});

appTest(
  'opening at login is asked of the system, and off unless it was asked for',
  async (start) => {
    await using running = await start();
    const { app, page } = running;
    assert.equal((await app.state()).opensAtLogin, false);
    await showState(running, 'Ready');
    await page.getByRole('tab', { name: 'Settings' }).click();
    await page.getByLabel('Open Sightglass at login').check();
    await page.getByRole('button', { name: 'Apply' }).click();
    await app.until(({ opensAtLogin }) => opensAtLogin);
  },
);

appTest('a key is kept in the keychain, and asked for from then on', async (start) => {
  await using running = await start();
  const { page, url } = running;
  await showState(running, 'Ready');
  await page.getByRole('tab', { name: 'Settings' }).click();
  await page.getByRole('button', { name: 'Generate' }).click();
  const key = await page.getByLabel('API key', { exact: true }).inputValue();
  await page.getByRole('button', { name: 'Apply' }).click();
  await page.getByText('Applied.', { exact: true }).waitFor();
  assert.equal((await post(url, question(image))).status, 401);
  const headers = { authorization: `Bearer ${key}` };
  assert.equal((await post(url, question(image), { headers })).status, 200);
  assert.ok(!JSON.stringify(await running.storedSettings()).includes(key));
});

appTest(
  'updates are looked for when asked, which a build from source says it cannot',
  async (start) => {
    await using running = await start();
    const { app } = running;
    await app.until(({ tray }) => /readyTemplate/.test(tray?.image ?? ''));
    await app.answerDialog({ button: 'OK' });
    await app.openTrayMenu();
    await app.clickMenuItem('Check for Updates…');
    const { windows } = await app.state();
    assert.equal(windows.length, 1, 'the app goes on');
  },
);

appTest('the panel stays while it is told to, and Escape puts it away', async (start) => {
  await using running = await start();
  const { app, page } = running;
  await showState(running, 'Ready');
  await page.getByRole('tab', { name: 'Try It' }).click();
  await page.getByLabel('Keep this panel open').check();
  await page.evaluate(`window.sightglass.call('history')`); // main has heard of it too
  await app.blur();
  assert.equal(isShown(await app.state()), true);
  await page.getByRole('tab', { name: 'Try It' }).press('Escape');
  await app.until((state) => !isShown(state));
});

appTest('choosing a folder does not put the panel away', async (start) => {
  await using running = await start();
  const { app, page } = running;
  await showState(running, 'Ready');
  await page.getByRole('tab', { name: 'Models' }).click();
  await page.getByRole('button', { name: 'Choose a Folder…' }).click();
  await app.until(({ dialogs }) => dialogs.length === 1);
  await app.blur();
  assert.equal(isShown(await app.state()), true);
  await app.answerDialog({ isCanceled: true });
});
