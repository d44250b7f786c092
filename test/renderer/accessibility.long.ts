import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noChromium } from '../support/chromium.ts';
import { STATES } from '../support/snapshots.ts';
import { ALL, findings } from './accessibility-moments.ts';
import { usePanel } from './panel-fixture.ts';

const panel = usePanel();

for (const colorScheme of ['light', 'dark'] as const) {
  for (const { name, state, answers, reach } of ALL) {
    test(`axe finds no violation: ${name}, ${colorScheme}`, { skip: noChromium }, async () => {
      const page = await panel.open(STATES[state], answers, { colorScheme });
      await page.emulateMedia({ reducedMotion: 'reduce' });
      await reach(page);
      assert.deepEqual(await findings(page), []);
    });
  }
}
