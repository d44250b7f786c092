import assert from 'node:assert/strict';
import type { Locator, Page } from 'playwright-core';
import type { Snapshot } from '../../server/contract.ts';
import { go, type PanelFixture, show, usePanel } from '../renderer/panel-fixture.ts';
import { type Answers, asked } from '../support/built-panel.ts';
import { snapshot } from '../support/snapshots.ts';

/** A panel for each test, opened at its models. */
export function useModels(): {
  panel: PanelFixture;
  open: (shown?: Snapshot, answers?: Answers) => Promise<Page>;
} {
  const panel = usePanel();
  return {
    panel,
    async open(shown = snapshot(), answers = {}) {
      const page = await panel.open(shown, answers);
      await go(page, 'Models');
      return page;
    },
  };
}

/** Waits until a command was sent this often. A function, since the page's policy forbids evaluating text. */
export async function hasAsked(page: Page, command: string, count = 1): Promise<void> {
  await page.waitForFunction(
    ([wanted, times]) => {
      const { asked } = globalThis as unknown as { asked: [string, unknown][] };
      return asked.filter(([name]) => name === wanted).length === times;
    },
    [command, count] as const,
  );
}

/** The answer to a change of the model. */
export const applied = { changeSettings: { applied: 'model_reloading' } };

/** The button of a model in the list. */
export function model(page: Page, name: string): Locator {
  return page.locator('.model-row').filter({ hasText: name }).locator('.model-button');
}

/** Asserts that the panel sends nothing, after enough time to do so. */
export async function asksNothing(page: Page): Promise<void> {
  await show(page, snapshot());
  assert.deepEqual(await asked(page), []);
}
