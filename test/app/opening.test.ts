import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { buildApp, noChromium } from '../support/built-panel.ts';
import type { AppState, MenuItemState } from '../support/electron/app-under-test.ts';
import { startApp } from '../support/electron/start-app.ts';
import { appTest, startOnStandIn } from '../support/sightglass-app.ts';

const skip = noChromium;
const main = new URL('../../dist/main/index.js', import.meta.url);
const isShown = ({ windows }: AppState) => windows.some(({ isVisible }) => isVisible);
const off = { startServerAtLaunch: false };

appTest('opening the app again from Finder or Spotlight shows the panel', async (start) => {
  await using running = await start(off);
  const { app } = running;
  assert.equal(isShown(await app.state()), false);
  await app.activate();
  await app.until(isShown);
});

test('the panel is on the screen even if its icon is behind the notch', { skip }, async () => {
  await using running = await startOnStandIn(off);
  const { app } = running;
  await app.placeTray({ x: -200, y: 0, width: 30, height: 24 });
  await app.activate();
  const { windows } = await app.until(isShown);
  const { x = -1, y = -1 } = windows[0]?.bounds ?? {};
  assert.ok(x >= 0 && y >= 0, `at ${x}, ${y}`);
});

test('at login no window opens, not even without a model', { skip }, async () => {
  await using running = await startOnStandIn(null, { wasOpenedAtLogin: true });
  const { app, page } = running;
  await page.getByRole('heading', { name: 'Which model should answer?' }).waitFor();
  assert.equal(isShown(await app.state()), false);
  await app.activate();
  await app.until(isShown);
});

test('what the app writes is in the folder of --user-data-dir', { skip }, async () => {
  const home = await mkdtemp(join(tmpdir(), 'sightglass-data-'));
  try {
    // It does not exist yet, and is not Electron's default.
    const folder = join(home, 'of my own', 'data');
    await using running = await startOnStandIn(null, { args: [`--user-data-dir=${folder}`] });
    await running.page.evaluate(`sightglass.call('changeSettings', { queueSize: 7 })`);
    assert.match(await readFile(join(folder, 'settings.json'), 'utf8'), /"queueSize": 7/);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
});

test('a long press closes an open panel, and does not open it again', { skip }, async () => {
  const app = await startBare();
  await using _ = app;
  await app.clickTray();
  await app.until(isShown);
  await Promise.all([app.blur(), app.pressTray()]);
  await app.until((state) => !isShown(state));
  await setTimeout(300); // the mouse button stays down longer than a click takes
  await app.releaseTray();
  assert.equal(isShown(await app.state()), false);
  await app.clickTray();
  assert.equal(isShown(await app.state()), true);
});

test('VoiceOver opens the panel, and closes it', { skip }, async () => {
  const app = await startBare();
  await using _ = app;
  const shown: boolean[] = [];
  for (let press = 0; press < 4; press += 1) {
    await app.pressTrayByVoiceOver();
    shown.push(isShown(await app.state()));
  }
  assert.deepEqual(shown, [true, false, true, false]);
});

test('the icon does not wait for double clicks, and the panel is set to join every Space', {
  skip,
}, async () => {
  const app = await startBare();
  await using _ = app;
  const { calls } = await app.state();
  const argsOf = (name: string) => calls.find((call) => call.name === name)?.args;
  assert.deepEqual(argsOf('Tray.setIgnoreDoubleClickEvents'), [true]);
  assert.deepEqual(argsOf('BrowserWindow.setVisibleOnAllWorkspaces'), [
    true,
    { visibleOnFullScreen: true, skipTransformProcessType: true },
  ]);
});

const labels = (menu: MenuItemState[] = []): string[] =>
  menu.flatMap(({ label, submenu }) => [label, ...labels(submenu)]);

for (const isPackaged of [true, false]) {
  const which = isPackaged ? 'the packaged app' : 'a build from source';
  test(`the menu of ${which} can paste, and ${isPackaged ? 'not ' : ''}reload`, {
    skip,
  }, async () => {
    const resourcesPath = new URL('../../resources', import.meta.url).pathname;
    const app = await startBare(isPackaged ? { isPackaged, resourcesPath } : {});
    await using _ = app;
    const { appMenu } = await app.state();
    const there = labels(appMenu);
    const wanted = ['cut', 'copy', 'paste', 'selectAll', 'undo', 'close', 'quit'];
    assert.deepEqual(
      wanted.filter((label) => !there.includes(label)),
      [],
    );
    const isDevelop = (label: string) => /reload|dev/i.test(label);
    assert.equal(there.some(isDevelop), !isPackaged);
  });
}

test('a dialog that the menu opens comes in front of other apps', { skip }, async () => {
  const app = await startBare();
  await using _ = app;
  await app.answerDialog({ button: 'OK' });
  await app.openTrayMenu();
  await app.clickMenuItem('Check for Updates…');
  const isDialog = ({ name }: { name: string }) => name === 'dialog message';
  const { calls } = await app.until((state) => state.calls.some(isDialog));
  const before = calls[calls.findIndex(isDialog) - 1];
  assert.deepEqual(before, { name: 'app.focus', args: [{ steal: true }] });
});

/** An app without settings, service or page, whose panel has been closed after it opened at start. */
async function startBare(options: Partial<Parameters<typeof startApp>[0]> = {}) {
  await buildApp();
  const home = await mkdtemp(join(tmpdir(), 'sightglass-home-'));
  const app = await startApp({ main, env: { HOME: home, XDG_STATE_HOME: home }, ...options });
  await app.until(isShown);
  await app.clickTray();
  await app.until((state) => !isShown(state));
  return Object.assign(app, {
    [Symbol.asyncDispose]: async () => {
      await app.stop();
      await rm(home, { recursive: true, force: true });
    },
  });
}
