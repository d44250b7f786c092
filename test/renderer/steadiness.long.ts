import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emit } from '../support/built-panel.ts';
import { noChromium } from '../support/chromium.ts';
import { inFlight, STATES, snapshot, trouble } from '../support/snapshots.ts';
import { go, press, show, usePanel } from './panel-fixture.ts';

const skip = noChromium;
const panel = usePanel();
const MINUTE = 60_000;

test('ages and counts do not shift the columns of the requests', { skip }, async () => {
  const at = Date.now();
  const [request] = inFlight(1, 1);
  assert.ok(request);
  const snapshotAt = (ageMs: number, tokens: number) =>
    snapshot({ at, active: [{ ...request, arrivedAt: at - ageMs, tokens }] }, { running: 1 });
  const page = await panel.open(snapshotAt(900, 0));
  const columns = page.getByLabel('Requests in flight').locator('th, thead td');
  const places = async () => JSON.stringify(await columns.evaluateAll(lefts));
  assert.equal(await columns.count(), 6, 'five columns, and the name of a row');
  const before = await places();
  for (const [ageMs, tokens] of [
    [9400, 88],
    [599_000, 9999],
    [5_400_000, 99_999],
  ] as const) {
    await show(page, snapshotAt(ageMs, tokens));
    assert.equal(await places(), before);
  }
});

function lefts(cells: { getBoundingClientRect: () => { x: number } }[]): number[] {
  return cells.map((cell) => cell.getBoundingClientRect().x);
}

test('a pushed snapshot is not replaced by the response to an earlier request', {
  skip,
}, async () => {
  const page = await panel.open(snapshot()); // main now returns this, too
  await show(page, snapshot({ at: snapshot().at + MINUTE }, { running: 7 }));
  await page.waitForFunction('asked.filter(([name]) => name === "history").length === 2');
  await page.evaluate('new Promise((done) => requestAnimationFrame(() => setTimeout(done)))');
  assert.equal(await page.locator('.number').first().textContent(), '7');
});

test('a view starts at its top, wherever the previous one was scrolled to', { skip }, async () => {
  const page = await panel.open(STATES['busy']);
  await go(page, 'Settings');
  await page.getByLabel('Open Sightglass at login').scrollIntoViewIfNeeded();
  await page.evaluate('document.querySelector("main").scrollTop = 300');
  await go(page, 'Overview');
  assert.equal(await page.evaluate('document.querySelector("main").scrollTop'), 0);
});

for (const [name, shown, height] of [
  ['ready', snapshot(), 640],
  ['under a banner', snapshot({ trouble }), 640],
  ['in a low window', snapshot(), 500],
] as const) {
  test(`the log scrolls inside its view and shows its end: ${name}`, { skip }, async () => {
    const page = await panel.open(shown, {}, { size: { width: 420, height } });
    await go(page, 'Logs');
    const lines = page.locator('.lines');
    await lines.getByText('id=req-39').waitFor();
    const end = await lines.getByText('id=req-39').boundingBox();
    const box = await lines.boundingBox();
    assert.ok(end && box && end.y + end.height <= box.y + box.height, 'the last line');
    assert.ok(box.y + box.height < height, 'the list');
  });
}

test('the log stays in place while it is scrolled up, and can return to its end', {
  skip,
}, async () => {
  const page = await panel.open(STATES['ready']);
  await go(page, 'Logs');
  const top = () => page.evaluate<number>('document.querySelector(".lines").scrollTop');
  await page.locator('.lines').getByText('id=req-39').waitFor();
  await page.evaluate('document.querySelector(".lines").scrollTop = 0');
  await page.getByText('Paused where you scrolled to.').waitFor();
  await emit(page, 'log', [{ number: 40, at: 0, level: 'info', text: 'one more' }]);
  await page.getByText('one more').waitFor();
  assert.equal(await top(), 0);
  await press(page, 'Go to the End');
  await page.getByText('Following the log.').waitFor();
  assert.ok((await top()) > 0);
});
