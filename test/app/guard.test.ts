import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { noChromium } from '../support/chromium.ts';
import type { AppState } from '../support/electron/app-under-test.ts';
import type { StandInApp } from '../support/electron/start-app.ts';
import { describeApp, type SightglassApp, startSightglass } from '../support/sightglass-app.ts';

describeApp('the panel', null, (scenario) => {
  scenario('the panel can reach its bridge, and nothing else', async ({ page, app }) => {
    const reach = await page.evaluate(
      `Promise.all([
        Object.keys(window.sightglass).sort().join(),
        [typeof require, typeof process, typeof window.ipcRenderer, typeof module].join(),
        fetch('http://127.0.0.1:9/').then(() => 'fetched', () => 'refused'),
        fetch('app://panel/../main/index.js').then((r) => r.status, () => 'refused'),
        Promise.resolve(window.open('https://example.com')),
        navigator.permissions.query({ name: 'geolocation' }).then(({ state }) => state, () => 'denied'),
        navigator.mediaDevices?.getUserMedia({ video: true }).then(() => 'granted', () => 'denied') ?? 'denied',
        (() => {
          const script = document.createElement('script');
          script.textContent = 'window.ran = true';
          document.body.append(script);
          return window.ran ?? 'blocked';
        })(),
      ])`,
    );
    assert.deepEqual(reach, [
      'call,on',
      'undefined,undefined,undefined,undefined',
      'refused',
      'refused',
      null,
      'denied',
      'denied',
      'blocked',
    ]);
    const { windows } = await app.state();
    assert.deepEqual(
      windows.map(({ url }) => url),
      ['app://panel/index.html'],
    );
  });

  scenario('the panel cannot navigate to another site', async ({ page, app }) => {
    await page.evaluate('window.mark = 1; void (location.href = "https://example.com/")');
    await page.evaluate(`window.sightglass.call('history')`);
    assert.equal(await page.evaluate('window.mark'), 1, 'the page has not been replaced');
    const { windows } = await app.state();
    assert.equal(windows[0]?.url, 'app://panel/index.html');
  });

  scenario('an invalid command is rejected with a reason and changes nothing', async ({ page }) => {
    const replies = await page.evaluate<{ ok: boolean; message?: string }[]>(
      `Promise.all([
        window.sightglass.call('shutdown'),
        window.sightglass.call('__proto__', {}),
        window.sightglass.call('cancel', { id: 7 }),
        window.sightglass.call('changeSettings', { port: 'x', banana: 1 }),
      ])`,
    );
    assert.deepEqual(
      replies.map(({ ok }) => ok),
      [false, false, false, true],
    );
    assert.match(replies[0]?.message ?? '', /Invalid option/);
    assert.match(replies[2]?.message ?? '', /expected string/);
  });
});

describe('what only the stand-in can show', { skip: noChromium }, () => {
  let running: SightglassApp<StandInApp>;
  before(async () => {
    running = await startSightglass(null);
  });
  after(() => running?.[Symbol.asyncDispose]());

  test('only the panel itself can command the app', async () => {
    const { app } = running;
    const frames = [
      { url: 'https://example.com/' },
      { url: 'app://other/index.html' },
      { url: 'about:blank' },
      { url: 'app://panel/index.html', isSubframe: true },
    ];
    for (const frame of frames) await app.invokeFrom(frame, 'command', 'copy', { text: 'stolen' });
    await app.invokeFrom({ url: 'app://panel/index.html' }, 'command', 'copy', { text: 'mine' });
    const isDone = ({ calls }: AppState) => calls.some(({ name }) => name === 'ipc result');
    const { calls, clipboard } = await app.until(isDone);
    assert.equal(clipboard, 'mine');
    assert.deepEqual(
      calls.filter(({ name }) => name === 'ipc error').map(({ args }) => args[0]),
      Array(frames.length).fill('Only the panel may send commands.'),
    );
  });

  test('the panel is isolated and sandboxed, and joins every Space', async () => {
    const { calls } = await running.app.state();
    const argsOf = (name: string) => calls.find((call) => call.name === name)?.args;
    const [{ webPreferences }] = argsOf('new BrowserWindow') as [{ webPreferences: object }];
    const { preload, ...others } = webPreferences as { preload: string };
    assert.match(preload, /preload\.cjs$/);
    assert.deepEqual(others, {
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      webviewTag: false,
      spellcheck: false,
    });
    assert.deepEqual(argsOf('BrowserWindow.setVisibleOnAllWorkspaces'), [
      true,
      { visibleOnFullScreen: true, skipTransformProcessType: true },
    ]);
    assert.deepEqual(argsOf('Tray.setIgnoreDoubleClickEvents'), [true]);
  });

  test('the bridge is frozen, and what cannot be cloned does not cross', async () => {
    const { page } = running;
    assert.equal(await page.evaluate('Object.isFrozen(sightglass)'), true);
    await assert.rejects(
      page.evaluate(`sightglass.call('copy', { text: () => 1 })`),
      /could not be cloned/,
    );
  });

  test('a menu item or dialog button that does not exist is an error', async () => {
    const { app } = running;
    await app.openTrayMenu();
    await assert.rejects(app.clickMenuItem('Off'), /There is no menu item Off: there is /);
    await app.answerDialog({ button: 'Maybe' });
    await app.openTrayMenu();
    await app.clickMenuItem('Check for Updates…');
    await app.until(() => /has no answer/.test(app.output()));
  });

  test('an app that is gone reports how it ended', async () => {
    const { app } = running;
    await app.stop();
    await assert.rejects(app.state(), /The app has ended/);
  });
});
