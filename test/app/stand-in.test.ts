import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import type { Page } from 'playwright-core';
import { findChromium } from '../../scripts/setup-chromium.mjs';
import type { AppUnderTest } from '../support/electron/app-under-test.ts';
import { type AppOptions, startApp } from '../support/electron/start-app.ts';

const main = new URL('fixtures/main.ts', import.meta.url);
const skip = findChromium() === undefined && 'there is no Chromium here';

describe('the stand-in for Electron', { skip, timeout: 180_000 }, () => {
  let app: AppUnderTest;
  let page: Page;
  before(async () => {
    app = await startApp({ main });
    page = await app.page();
  });
  after(() => app?.stop());
  const told = (text: string) => app.until(() => app.output().includes(text));

  test('a page asks main, is answered, and is told things', async () => {
    await page.getByText('hello').waitFor();
    assert.equal(await page.evaluate(`bridge.ask('echo', 1)`), 1);
    await assert.rejects(
      page.evaluate(`bridge.ask('fail')`),
      /Error invoking remote method 'ask': Error: No\./,
    );
  });

  test('what crosses to main and back is a structured clone', async () => {
    const same = `(async () => {
      const sent = { none: undefined, at: new Date(5), bytes: new Uint8Array([1, 2]), not: [NaN] };
      const got = await bridge.ask('echo', sent);
      return ['none' in got, got.at.getTime(), got.bytes.join(), Number.isNaN(got.not[0])];
    })()`;
    assert.deepEqual(await page.evaluate(same), [true, 5, '1,2', true]);
    await assert.rejects(page.evaluate(`bridge.ask('echo', () => 1)`), /could not be cloned/);
  });

  test('a listener that was taken away hears no more', async () => {
    const heard = `(async () => {
      const heard = [];
      const off = bridge.onSaid((text) => heard.push(text));
      bridge.say('one');
      await bridge.ask('echo', 0);
      off();
      bridge.say('two');
      await bridge.ask('echo', 0);
      return heard;
    })()`;
    assert.deepEqual(await page.evaluate(heard), ['one']);
  });

  test('a page sees what its preload exposes, frozen, and nothing else of it', async () => {
    const seen = `[Object.keys(bridge).join(), Object.isFrozen(bridge), bridge.missing,
      ...['require', 'process', 'ipcRenderer', 'standInSend', 'standInReceive'].map((name) => typeof globalThis[name])]`;
    assert.deepEqual(await page.evaluate(seen), [
      'missing,ask,say,quit,onSaid',
      true,
      'module not found: node:fs (a sandboxed preload has electron only)',
      ...Array(5).fill('undefined'),
    ]);
  });

  test("the policy of the app's protocol handler is in force", async () => {
    const tried = `(async () => {
      const script = document.createElement('script');
      script.textContent = 'globalThis.inline = true';
      document.body.append(script);
      const fetched = await fetch('http://127.0.0.1:9/').catch(() => 'refused');
      return [typeof globalThis.inline, fetched];
    })()`;
    assert.deepEqual(await page.evaluate(tried), ['undefined', 'refused']);
  });

  test('the window-open handler is asked, and no window opens', async () => {
    assert.equal(await page.evaluate(`window.open('https://example.com/opened')`), null);
    await page.click('#blank');
    await told('asked to open https://example.com/opened');
    await told('asked to open https://example.com/new');
    assert.equal(
      page
        .context()
        .pages()
        .filter((one) => one.url().includes('example')).length,
      0,
    );
  });

  test('a navigation that is prevented leaves the page as it was', async () => {
    await page.evaluate('globalThis.mark = 1');
    await page.click('#out');
    await told('will navigate to https://example.com/');
    assert.equal(await page.evaluate('globalThis.mark'), 1);
  });

  test('permissions are what the request handler answers', async () => {
    const camera = `navigator.mediaDevices.getUserMedia({ video: true }).catch((e) => e.name)`;
    assert.equal(await page.evaluate(camera), 'NotAllowedError');
    const { calls } = await app.state();
    const asked = calls.filter(({ name }) => name === 'permission request');
    assert.deepEqual(asked, [{ name: 'permission request', args: ['media', false] }]);
  });

  test('a click of the icon shows the window, and its page knows when it is hidden', async () => {
    await app.clickTray();
    await app.blur();
    await page.evaluate(`requestAnimationFrame(() => seen.push('frame'))`);
    assert.deepEqual(await page.evaluate('[document.hidden, ...seen]'), [
      true,
      'visible',
      'hidden',
    ]);
    assert.equal((await app.state()).windows[0]?.isVisible, false);
    await app.clickTray();
    await page.evaluate('new Promise(requestAnimationFrame)');
    assert.deepEqual(await page.evaluate('seen'), ['visible', 'hidden', 'visible', 'frame']);
  });

  test('the menu of the icon is shown, and its items do what they say', async () => {
    const menu = await app.openTrayMenu();
    assert.deepEqual(
      menu.map(({ label, type, enabled }) => [label, type, enabled]),
      [
        ['Busy', 'normal', true],
        ['', 'separator', true],
        ['More', 'submenu', true],
        ['Off', 'normal', false],
      ],
    );
    await assert.rejects(app.clickMenuItem('Off'), /The menu item Off is not enabled/);
    await app.clickMenuItem('More', 'Title');
    await app.openTrayMenu();
    await app.clickMenuItem('Busy');
    const { tray } = await app.state();
    const { image = '', ...others } = tray ?? {};
    const shown = { image: basename(image), ...others };
    const wanted = { image: 'busyTemplate.png', isTemplate: true, hasRetina: true, title: '3' };
    assert.deepEqual(shown, { ...wanted, toolTip: '' });
  });

  test('a dialog waits for its answer, or finds it given', async () => {
    await page.evaluate(`void (globalThis.chosen = bridge.ask('choose'))`);
    const { dialogs } = await app.until((state) => state.dialogs.length === 1);
    assert.deepEqual(dialogs, [{ kind: 'open', options: { properties: ['openDirectory'] } }]);
    await assert.rejects(app.answerDialog({ button: 'Yes' }), /open dialog cannot be answered/);
    await app.answerDialog({ paths: ['/models/one'] });
    const chosen = { canceled: false, filePaths: ['/models/one'] };
    assert.deepEqual(await page.evaluate('chosen'), chosen);
    await app.answerDialog({ button: 'No' });
    const confirmed = { response: 1, checkboxChecked: false };
    assert.deepEqual(await page.evaluate(`bridge.ask('confirm')`), confirmed);
  });

  test('what the machine does is told, and power save blockers are seen', async () => {
    await app.emitPower('suspend');
    assert.deepEqual((await app.state()).blockers, ['prevent-app-suspension']);
  });

  test('a secret of safeStorage is not its text, and comes back', async () => {
    const answer = await page.evaluate(`bridge.ask('secret')`);
    assert.deepEqual(answer, [false, { shouldReEncrypt: false, result: 'key' }]);
    await app.setKeychain(false);
    await assert.rejects(page.evaluate(`bridge.ask('secret')`), /Encryption is not available/);
  });

  test("the system's appearance reaches the page", async () => {
    const isDark = `matchMedia('(prefers-color-scheme: dark)').matches`;
    await app.setDark(true);
    assert.equal(await page.evaluate(isDark), true);
    await app.setDark(false);
    assert.equal(await page.evaluate(isDark), false);
  });

  test('screenshots are taken in light and in dark', async () => {
    await app.takeScreenshots(app.userData, 'panel');
    const sizes = ['light', 'dark'].map(async (appearance) => {
      const png = await readFile(join(app.userData, `panel-${appearance}.png`));
      return [png.readUInt32BE(16), png.readUInt32BE(20)];
    });
    assert.deepEqual(await Promise.all(sizes), [
      [800, 600],
      [800, 600],
    ]);
  });

  test('a link within the app is followed', async () => {
    await page.click('#within');
    await page.waitForURL(/other\.html$/);
    // Main is told by another connection than the page's.
    await app.until(({ windows }) => windows[0]?.url === 'app://panel/other.html');
  });
});

describe('the end of an app on the stand-in', { skip, timeout: 180_000 }, () => {
  const start = async (t: TestContext, options: Partial<AppOptions> = {}) => {
    const app = await startApp({ main, ...options });
    t.after(() => app.stop());
    return app;
  };

  test('a quit is prevented, and then is not', async (t) => {
    const app = await start(t);
    const page = await app.page();
    await app.quit();
    assert.equal(await page.evaluate(`bridge.ask('echo', 'alive')`), 'alive');
    await page.evaluate('bridge.quit()').catch(() => {});
    assert.equal(await app.exitCode, 0);
    const events = app.output().match(/(before|will)-quit/g);
    assert.deepEqual(events, ['before-quit', 'before-quit', 'will-quit']);
  });

  test('an app that is killed takes its Chromium with it, and leaves no files', async (t) => {
    const app = await start(t);
    const browser = (await app.page()).context().browser();
    const gone = new Promise((resolve) => browser?.once('disconnected', resolve));
    await app.kill();
    await gone;
    await assert.rejects(app.state(), /The app has ended \(SIGKILL\)/);
    await app.stop();
    await assert.rejects(stat(app.userData), { code: 'ENOENT' });
  });

  test('an instance without the lock ends before it is ready', async (t) => {
    const ended = start(t, { isFirstInstance: false });
    await assert.rejects(ended, /The app has ended \(3\)/);
  });

  test('an app is told that the process of its page has ended', async (t) => {
    const app = await start(t);
    await app.until(() => app.output().includes('loaded'));
    await app.crashPage();
    await app.until(() => app.output().includes('render-process-gone crashed'));
  });

  const refusals = {
    unknownMember: /the stand-in has no app\.getGPUInfo/,
    unknownEvent: /the stand-in has no event 'child-process-gone' of app/,
    unknownOption: /the stand-in has no option BrowserWindow kiosk/,
    insecureWindow: /the stand-in has no windows without contextIsolation/,
    missingImage: /no such file or directory, open '\/nowhere\/iconTemplate.png'/,
    remoteRequest: /the stand-in has no net\.request of https:\/\/example\.com/,
    relativePath: /Path must be absolute/,
    lateScheme: /should be called before app is ready/,
    earlyTray: /Tray cannot be used before the app is ready/,
    topLevelAwait: /awaits it at its top level hangs under Electron too/,
  };
  for (const [REFUSED, message] of Object.entries(refusals)) {
    test(`an app ends with a reason: ${REFUSED}`, async (t) => {
      const ended = start(t, {
        main: new URL('fixtures/refused.ts', import.meta.url),
        env: { REFUSED },
      }).then((app) => app.until(() => false));
      await assert.rejects(ended, message);
    });
  }
});
