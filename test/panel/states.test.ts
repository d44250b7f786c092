import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import type { Page } from 'playwright-core';
import { View } from '../../server/contract.ts';
import { BuiltPanel, noChromium, tell } from '../support/built-panel.ts';
import { found, modelPlaces, suggested } from '../support/models.ts';
import { history, inFlight, logLines, STATES, snapshot } from '../support/snapshots.ts';

const skip = noChromium;
const axe = new URL(import.meta.resolve('axe-core/axe.min.js'));
let panel: BuiltPanel;
let source: string;
before(async () => {
  if (skip !== false) return;
  panel = await BuiltPanel.start();
  source = await readFile(axe, 'utf8');
});
after(() => panel?.stop());

const models = { findModels: found, suggestModels: suggested, modelPlaces };
const answers = { history, ...models, watchLog: logLines };
const tabs = {
  overview: 'Overview',
  models: 'Models',
  try: 'Try It',
  connect: 'Connect',
  logs: 'Logs',
  settings: 'Settings',
};

interface Finding {
  id: string;
  impact: string;
  nodes: { html: string }[];
}

/** What axe-core finds wrong with the page as it is. */
async function findings(page: Page): Promise<string[]> {
  await page.evaluate(source); // the policy is for the page; the debugger may
  const violations = await page.evaluate<Finding[]>(
    'axe.run({ resultTypes: ["violations"] }).then(({ violations }) => violations)',
  );
  return violations.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes[0]?.html}`);
}

for (const colorScheme of ['light', 'dark'] as const) {
  for (const [state, shown] of Object.entries(STATES)) {
    test(`axe finds nothing wrong with the overview, ${state}, ${colorScheme}`, {
      skip,
    }, async () => {
      const page = await panel.open({ answers: { ...answers, snapshot: shown }, colorScheme });
      await page.getByRole('tab', { name: 'Overview' }).waitFor();
      assert.deepEqual(await findings(page), []);
      await page.close();
    });
  }

  for (const view of View.options.slice(1)) {
    test(`axe finds nothing wrong with the view ${view}, ${colorScheme}`, { skip }, async () => {
      const page = await panel.open({
        answers: { ...answers, snapshot: STATES['busy'] },
        colorScheme,
      });
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.getByRole('tab', { name: tabs[view] }).click();
      for (const summary of await page.locator('summary:visible').all()) await summary.click();
      assert.deepEqual(await findings(page), []);
      await page.close();
    });
  }
}

test('no page has complained: no error, no breach of the policy', { skip }, () => {
  assert.deepEqual(panel.complaints, []);
});

test('nothing moves, whatever the numbers are', { skip }, async () => {
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
    await tell(page, 'snapshot', snapshot({ active }, load));
    await page.locator('.numbers').getByText(String(load.running)).first().waitFor();
    assert.equal(await places(), before);
  }
  await page.close();
});

for (const size of [
  { width: 360, height: 500 },
  { width: 900, height: 700 },
]) {
  test(`nothing is cut off at ${size.width} pixels`, { skip }, async () => {
    const page = await panel.open({ answers: { ...answers, snapshot: STATES['busy'] }, size });
    for (const name of Object.values(tabs)) {
      await page.getByRole('tab', { name }).click();
      const wide = await page.evaluate<number>(
        'Math.max(...[...document.querySelectorAll("body, main, .view > *")].map((e) => e.scrollWidth - e.clientWidth))',
      );
      assert.equal(wide, 0, name);
    }
    await page.close();
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
  await page.close();
});
