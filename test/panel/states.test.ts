import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TABS } from '../renderer/panel-fixture.ts';
import { BuiltPanel, emit } from '../support/built-panel.ts';
import { noChromium } from '../support/chromium.ts';
import { found, modelPlaces, suggested } from '../support/models.ts';
import { history, inFlight, logLines, STATES, snapshot } from '../support/snapshots.ts';

const skip = noChromium;
let panel: BuiltPanel;
before(async () => {
  if (skip !== false) return;
  panel = await BuiltPanel.start();
});
after(() => panel?.stop());

const models = { findModels: found, suggestModels: suggested, modelPlaces };
const answers = { history, ...models, watchLog: logLines };

test('numbers of any size do not shift the layout', { skip }, async () => {
  const page = await panel.open({ answers: { ...answers, snapshot: snapshot() } });
  const places = async () => {
    const boxes = ['header', '.large', '.tabs', '.numbers', '.chart', '.numbers .number'].map(
      async (selector) =>
        Promise.all((await page.locator(selector).all()).map((each) => each.boundingBox())),
    );
    return JSON.stringify(await Promise.all(boxes));
  };
  await page.locator('.numbers').waitFor();
  const before = await places();
  for (const [load, active] of [
    [{ running: 1, waiting: 0, streams: 0, tokensPerSecond: 9.4 }, inFlight(1, 1)],
    [
      { running: 99_999, waiting: 99_999, streams: 99_999, tokensPerSecond: 99_999 },
      inFlight(20, 9),
    ],
  ] as const) {
    await emit(page, 'snapshot', snapshot({ active }, load));
    await page.locator('.numbers').getByText(String(load.running)).first().waitFor();
    assert.equal(await places(), before);
  }
});

for (const size of [
  { width: 360, height: 500 },
  { width: 900, height: 700 },
]) {
  test(`nothing is cut off at ${size.width} pixels`, { skip }, async () => {
    const page = await panel.open({ answers: { ...answers, snapshot: STATES['busy'] }, size });
    for (const name of TABS) {
      await page.getByRole('tab', { name }).click();
      const wide = await page.evaluate<number>(
        'Math.max(...[...document.querySelectorAll("body, main, .view > *")].map((e) => e.scrollWidth - e.clientWidth))',
      );
      assert.equal(wide, 0, name);
    }
  });
}

test('with reduced motion nothing is animated', { skip }, async () => {
  const page = await panel.open({ answers: { ...answers, snapshot: snapshot() } });
  const durations = () =>
    page.evaluate<string[]>(
      '[...document.querySelectorAll("*")].map((e) => getComputedStyle(e)).filter((s) => s.transitionDuration !== "0s" || s.animationName !== "none").map((s) => s.transitionDuration)',
    );
  await page.locator('.numbers').waitFor();
  assert.ok((await durations()).length > 0);
  await page.emulateMedia({ reducedMotion: 'reduce' });
  assert.deepEqual(await durations(), []);
});

test('the tests above caused no error and no violation of the policy', { skip }, () => {
  assert.deepEqual(panel.complaints, []);
});
