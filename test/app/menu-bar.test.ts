import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { buildApp } from '../support/built-panel.ts';
import { noChromium } from '../support/chromium.ts';
import type { MenuItemState } from '../support/electron/app-under-test.ts';
import type { StandInApp } from '../support/electron/start-app.ts';
import { packageApp } from '../support/packaged-app.ts';
import {
  describeApp,
  isPanelOpen,
  onStandIn,
  openPanel,
  type SightglassApp,
  showView,
  startSightglass,
} from '../support/sightglass-app.ts';

const skip = noChromium;
const off = { startServerAtLaunch: false };
const isPanelClosed = (state: Parameters<typeof isPanelOpen>[0]) => !isPanelOpen(state);

describeApp('the app in the menu bar', off, (scenario) => {
  scenario('it starts with a template icon, without a Dock icon or a window', async ({ app }) => {
    const { isInDock, tray, windows } = await app.state();
    assert.deepEqual(
      [isInDock, tray?.isTemplate, tray?.hasRetina, windows.map(({ isVisible }) => isVisible)],
      [false, true, true, [false]],
    );
  });

  scenario('a click on the icon opens the panel, and another click closes it', async ({ app }) => {
    await app.clickTray();
    await app.until(isPanelOpen);
    await app.clickTray();
    await app.until(isPanelClosed);
  });

  scenario('the panel closes when it loses the focus', async (running) => {
    await openPanel(running);
    await running.app.blur();
    await running.app.until(isPanelClosed);
  });

  scenario('a click that takes the focus from the panel closes it', async (running) => {
    const { app } = running;
    await openPanel(running);
    await app.pressTray();
    await app.releaseTray();
    assert.equal(isPanelOpen(await app.state()), false, 'it was not opened again');
  });

  scenario('a long press on the icon closes the panel', async (running) => {
    const { app } = running;
    await openPanel(running);
    await app.pressTray();
    await setTimeout(300); // longer than a click, which is distinguished from a press by its duration
    await app.releaseTray();
    assert.equal(isPanelOpen(await app.state()), false, 'it was not opened again');
  });

  scenario('a second launch of the app opens the panel', async ({ app }) => {
    await app.openSecondInstance();
    await app.until(isPanelOpen);
  });

  scenario('opening the app again from Finder or Spotlight opens the panel', async ({ app }) => {
    await app.activate();
    await app.until(isPanelOpen);
  });

  scenario('closing the window hides the panel and keeps the app running', async (running) => {
    const { app } = running;
    await openPanel(running);
    await app.closeWindow();
    await app.until(isPanelClosed);
    await openPanel(running);
  });

  scenario('a pinned panel stays open until Escape is pressed', async (running) => {
    const { app, page } = running;
    await showView(running, 'Try It');
    await page.getByLabel('Keep this panel open').check();
    await page.evaluate(`window.sightglass.call('history')`); // main has received it too
    await app.blur();
    assert.equal(isPanelOpen(await app.state()), true);
    await page.getByRole('tab', { name: 'Try It' }).press('Escape');
    await app.until(isPanelClosed);
    await showView(running, 'Try It');
    await page.getByLabel('Keep this panel open').uncheck();
  });

  scenario('the panel stays open while the user chooses a folder', async (running) => {
    const { app, page } = running;
    await showView(running, 'Models');
    await page.getByRole('button', { name: 'Choose a Folder…' }).click();
    await app.until(({ dialogs }) => dialogs.length === 1);
    await app.blur();
    assert.equal(isPanelOpen(await app.state()), true);
    await app.answerDialog({ isCanceled: true });
  });

  scenario('the app opens at login only if the user asks for it', async (running) => {
    const { app, page } = running;
    assert.equal((await app.state()).opensAtLogin, false);
    await showView(running, 'Settings');
    await page.getByLabel('Open Sightglass at login').check();
    await page.getByRole('button', { name: 'Apply' }).click();
    await app.until(({ opensAtLogin }) => opensAtLogin);
  });

  scenario('a build from source says that it cannot be updated', async ({ app }) => {
    await app.answerDialog({ button: 'OK' });
    await app.openTrayMenu();
    await app.clickMenuItem('Check for Updates…');
    const { windows } = await app.state();
    assert.equal(windows.length, 1, 'the app keeps running');
  });
});

const labels = (menu: MenuItemState[] = []): string[] =>
  menu.flatMap(({ label, submenu }) => [label, ...labels(submenu)]);

/** Asserts that the app's menu has the shortcuts of text fields, and those of developers or not. */
async function checkAppMenu(app: StandInApp, { isDevelop }: { isDevelop: boolean }): Promise<void> {
  const { appMenu } = await app.state();
  const there = labels(appMenu);
  const wanted = ['cut', 'copy', 'paste', 'selectAll', 'undo', 'close', 'quit'];
  assert.deepEqual(
    wanted.filter((label) => !there.includes(label)),
    [],
  );
  assert.equal(
    there.some((label) => /reload|dev/i.test(label)),
    isDevelop,
  );
}

describe('what only the stand-in can show', { skip }, () => {
  let running: SightglassApp<StandInApp>;
  before(async () => {
    running = await startSightglass(off);
  });
  after(() => running?.[Symbol.asyncDispose]());

  test('VoiceOver opens and closes the panel', async () => {
    const { app } = running;
    const shown: boolean[] = [];
    for (let press = 0; press < 4; press += 1) {
      await app.pressTrayByVoiceOver();
      shown.push(isPanelOpen(await app.state()));
    }
    assert.deepEqual(shown, [true, false, true, false]);
  });

  test('the panel is on the screen even if its icon is behind the notch', async () => {
    const { app } = running;
    await app.placeTray({ x: -200, y: 0, width: 30, height: 24 });
    await app.activate();
    const { windows } = await app.until(isPanelOpen);
    const { x = -1, y = -1 } = windows[0]?.bounds ?? {};
    assert.ok(x >= 0 && y >= 0, `at ${x}, ${y}`);
  });

  test('a dialog opened from the menu is in front of other apps', async () => {
    const { app } = running;
    await app.answerDialog({ button: 'OK' });
    await app.openTrayMenu();
    await app.clickMenuItem('Check for Updates…');
    const isDialog = ({ name }: { name: string }) => name === 'dialog message';
    const { calls } = await app.until((state) => state.calls.some(isDialog));
    const before = calls[calls.findIndex(isDialog) - 1];
    assert.deepEqual(before, { name: 'app.focus', args: [{ steal: true }] });
  });

  test('the menu of a build from source can paste and reload', () =>
    checkAppMenu(running.app, { isDevelop: true }));
});

test('the menu of the packaged app can paste but not reload; no window opens at login', {
  skip,
}, async () => {
  await using packaged = await packageApp({ wasOpenedAtLogin: true });
  await using running = await startSightglass(null, { launch: packaged.launch });
  const { app, page } = running;
  await checkAppMenu(app, { isDevelop: false });
  await page.getByRole('heading', { name: 'Which model should answer?' }).waitFor();
  assert.equal(isPanelOpen(await app.state()), false);
});

async function makeHome(t: TestContext): Promise<{ home: string; env: Record<string, string> }> {
  await buildApp();
  const home = await mkdtemp(join(tmpdir(), 'sightglass-home-'));
  t.after(() => rm(home, { recursive: true, force: true }));
  return { home, env: { HOME: home, XDG_STATE_HOME: home } };
}

test('the app writes to the folder of --user-data-dir and creates it', { skip }, async (t) => {
  const { home, env } = await makeHome(t);
  const folder = join(home, 'of my own', 'data'); // does not exist, and is not Electron's default
  const app = await onStandIn()(folder, env);
  t.after(() => app.stop());
  const page = await app.page();
  await page.evaluate(`sightglass.call('changeSettings', { queueSize: 7 })`);
  assert.match(await readFile(join(folder, 'settings.json'), 'utf8'), /"queueSize": 7/);
});

test('a second instance exits immediately', { skip }, async (t) => {
  const { home, env } = await makeHome(t);
  const second = onStandIn({ isFirstInstance: false })(home, env);
  await assert.rejects(second, /The app has ended \(0\)/);
});
