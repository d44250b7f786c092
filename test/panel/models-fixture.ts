import type { Page } from 'playwright-core';
import type { Snapshot } from '../../server/contract.ts';
import { go, type PanelFixture, usePanel } from '../renderer/panel-fixture.ts';
import type { Answers } from '../support/built-panel.ts';
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
