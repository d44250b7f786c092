import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noChromium } from '../support/built-panel.ts';
import { showState, startSightglass } from '../support/sightglass-app.ts';

test('the panel is drawn when its icon is clicked; how soon is printed', {
  skip: noChromium,
}, async (t) => {
  await using running = await startSightglass();
  const { app, page } = running;
  await showState(running, 'Ready');
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
