import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noChromium } from '../support/chromium.ts';
import { STATES } from '../support/snapshots.ts';
import { ALL, findings } from './accessibility-moments.ts';
import { usePanel } from './panel-fixture.ts';

const panel = usePanel();
// accessibility.long.ts checks everything in both color schemes.
const SHORT: Readonly<Record<'light' | 'dark', readonly string[]>> = {
  light: ['the overview, busy', 'the view Settings'],
  dark: ['the overview, failed', 'the view Models'],
};

for (const colorScheme of ['light', 'dark'] as const) {
  test(`axe finds no violation in the ${colorScheme} panel`, { skip: noChromium }, async () => {
    for (const wanted of SHORT[colorScheme]) {
      const { state, answers, reach } = ALL.find(({ name }) => name === wanted) ?? {};
      assert.ok(state && reach, wanted);
      const page = await panel.open(STATES[state], answers, { colorScheme });
      await page.emulateMedia({ reducedMotion: 'reduce' });
      await reach(page);
      assert.deepEqual(await findings(page), [], wanted);
    }
  });
}
