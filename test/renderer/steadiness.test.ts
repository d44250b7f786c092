import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noChromium } from '../support/chromium.ts';
import { inFlight, STATES, snapshot } from '../support/snapshots.ts';
import { focused, go, press, show, usePanel } from './panel-fixture.ts';

const skip = noChromium;
const panel = usePanel();
const MINUTE = 60_000;

test('the chart stops its timer once it shows no load', {
  skip,
}, async () => {
  const at = Date.now();
  const load = { waiting: 0, tokensPerSecond: 0 };
  const history = [
    { ...load, at: at - 2 * MINUTE, running: 1 },
    { ...load, at: at - MINUTE, running: 0 },
  ];
  const page = await panel.open(snapshot({ at }), { history });
  await page.clock.install({ time: at });
  await page.evaluate(
    'window.ticks = 0; const real = setInterval; window.setInterval = (tick, ms) => real(() => { window.ticks += 1; tick(); }, ms)',
  );
  await go(page, 'Logs');
  await go(page, 'Overview'); // restarts its timer, which is now counted
  await page.clock.runFor(3 * MINUTE);
  assert.ok((await page.evaluate<number>('window.ticks')) > 170, 'it moves');
  await page.clock.runFor(2 * MINUTE);
  const ticks = await page.evaluate<number>('window.ticks');
  await page.clock.runFor(30 * MINUTE);
  assert.equal(await page.evaluate<number>('window.ticks'), ticks);
  await page.close(); // with its clock
});

test('the header has the same height in every state', { skip }, async () => {
  const page = await panel.open(STATES['off']);
  const tops: (number | undefined)[] = [];
  for (const state of ['off', 'starting', 'loading', 'ready', 'draining', 'off']) {
    await show(page, STATES[state] ?? snapshot());
    tops.push((await page.locator('.tabs').boundingBox())?.y);
  }
  assert.equal(new Set(tops).size, 1, tops.join());
});

test('the question before a stop stays until it is answered; Escape cancels', {
  skip,
}, async () => {
  const busy = snapshot({ active: inFlight(1, 1) }, { running: 1 });
  const page = await panel.open(busy);
  const question = page.getByRole('alertdialog');
  await press(page, 'Stop');
  await show(page, snapshot());
  assert.equal(await question.count(), 1, 'the question stays');
  await page.keyboard.press('Escape');
  assert.deepEqual([await question.count(), await focused(page)], [0, 'Stop']);
  await show(page, busy);
  assert.equal(await question.count(), 0, 'not asked again');
});
