import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noChromium } from '../support/built-panel.ts';
import type { AppState } from '../support/electron/app-under-test.ts';
import { appTest, startOnStandIn } from '../support/sightglass-app.ts';

appTest('the panel can reach its bridge, and nothing else', async (start) => {
  await using running = await start(null);
  const { page, app } = running;
  await page.getByRole('heading', { name: 'Which model should answer?' }).waitFor();
  const reach = await page.evaluate(
    `Promise.all([
      Object.keys(window.sightglass).sort().join(),
      [typeof require, typeof process, typeof window.ipcRenderer, typeof module].join(),
      fetch('http://127.0.0.1:9/').then(() => 'fetched', () => 'refused'),
      fetch('app://panel/../main/index.js').then((r) => r.status, () => 'refused'),
      Promise.resolve(window.open('https://example.com')),
      navigator.permissions.query({ name: 'geolocation' }).then(({ state }) => state, () => 'denied'),
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
    'blocked',
  ]);
  const { windows } = await app.state();
  assert.deepEqual(
    windows.map(({ url }) => url),
    ['app://panel/index.html'],
  );
});

appTest('the panel goes nowhere else', async (start) => {
  await using running = await start(null);
  const { page, app } = running;
  await page.getByRole('heading', { name: 'Which model should answer?' }).waitFor();
  await page.evaluate('void (location.href = "https://example.com/")');
  await page.getByRole('heading', { name: 'Which model should answer?' }).waitFor();
  const { windows } = await app.state();
  assert.equal(windows[0]?.url, 'app://panel/index.html');
});

appTest('what is not in the contract is refused in words, and changes nothing', async (start) => {
  await using running = await start(null);
  const { page } = running;
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

test('no frame but the panel itself may command the app', { skip: noChromium }, async () => {
  await using running = await startOnStandIn(null);
  const { app } = running;
  await running.page.getByRole('heading', { name: 'Which model should answer?' }).waitFor();
  const frames = [
    { url: 'https://example.com/' },
    { url: 'app://other/index.html' },
    { url: 'about:blank' },
    { url: 'app://panel/index.html', isSubframe: true },
  ];
  for (const frame of frames) await app.invokeFrom(frame, 'command', 'copy', { text: 'stolen' });
  await app.invokeFrom({ url: 'app://panel/index.html' }, 'command', 'copy', { text: 'mine' });
  const isDone = ({ calls }: AppState) => calls.some(({ name }) => name === 'ipc answer');
  const { calls, clipboard } = await app.until(isDone);
  assert.equal(clipboard, 'mine');
  assert.deepEqual(
    calls.filter(({ name }) => name === 'ipc refusal').map(({ args }) => args[0]),
    Array(frames.length).fill('Only the panel may ask.'),
  );
});
