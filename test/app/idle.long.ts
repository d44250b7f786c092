import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { post, question, streamedText } from '../support/chat.ts';
import { noChromium } from '../support/chromium.ts';
import type { StandInApp } from '../support/electron/start-app.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { type SightglassApp, showState, startSightglass } from '../support/sightglass-app.ts';
import { probe, settle } from './idle-probe.ts';

const image = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
const IDLE_MS = 60_000;

describe('measurements with the real runtime', { skip: noChromium }, () => {
  let running: SightglassApp<StandInApp>;
  before(async () => {
    running = await startSightglass({}, { imports: ['test/support/idle-probe.ts'] });
    await showState(running, 'Ready');
  });
  after(() => running?.[Symbol.asyncDispose]());

  test('the time from a click on the icon to the second frame of the panel is printed', async (t) => {
    const { app, page } = running;
    const times: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      await app.clickTray();
      await app.until(({ windows }) => windows.every(({ isVisible }) => !isVisible));
      const drawn = page.evaluate<number>(
        `new Promise((resolve) => document.addEventListener('visibilitychange', () =>
          requestAnimationFrame(() => requestAnimationFrame(() => resolve(Date.now()))), { once: true }))`,
      );
      await page.evaluate('0'); // after this the page listens
      const clickedAt = Date.now();
      await app.clickTray();
      times.push((await drawn) - clickedAt);
    }
    t.diagnostic(`from the click to the second frame: ${times.join(', ')} ms`);
    assert.equal(times.length, 5);
  });

  test('an idle app with a hidden panel sends no message and fires no timer', async (t) => {
    const { app, page, url } = running;
    await post(url, question(image));
    await streamedText(url, question(image)); // a stream has timers of its own
    await page.evaluate(
      'window.received = 0; for (const name of ["snapshot", "log", "answer", "open"]) window.sightglass.on(name, () => { window.received += 1; })',
    );
    await app.blur();
    await app.until(({ windows }) => windows.every(({ isVisible }) => !isVisible));
    const start = await settle(running);
    const receivedBefore = await page.evaluate<number>('window.received');
    await setTimeout(IDLE_MS);
    const end = await probe(running);
    const received = (await page.evaluate<number>('window.received')) - receivedBefore;
    t.diagnostic(
      `idle for ${IDLE_MS / 1000} s: ${received} messages, ${(end.cpuMs - start.cpuMs).toFixed(0)} ms ` +
        'of CPU in the main process, with the stand-in and the probe',
    );
    assert.ok(Object.keys(start.fired).length > 0, 'the probe counts');
    assert.deepEqual({ fired: end.fired, received }, { fired: start.fired, received: 0 });
  });
});
