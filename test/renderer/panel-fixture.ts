import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import type { Page } from 'playwright-core';
import type { Snapshot } from '../../server/contract.ts';
import { type Answers, BuiltPanel, emit, type PanelOptions } from '../support/built-panel.ts';
import { noChromium } from '../support/chromium.ts';
import { found, modelPlaces, suggested } from '../support/models.ts';
import { history, logLines } from '../support/snapshots.ts';

/** The tabs of the panel, in order. */
export const TABS = ['Overview', 'Models', 'Try It', 'Connect', 'Logs', 'Settings'] as const;

export interface PanelFixture {
  open: (shown: Snapshot | undefined, answers?: Answers, look?: Look) => Promise<Page>;
}
export type Look = Omit<PanelOptions, 'answers'>;

/** The panel for the tests of a file, loaded again for each; none may cause an error in it. */
export function usePanel(): PanelFixture {
  let panel: BuiltPanel | undefined;
  before(async () => {
    if (noChromium === false) panel = await BuiltPanel.start();
  });
  after(() => panel?.stop());
  afterEach(() => {
    assert.deepEqual(panel?.complaints ?? [], []);
  });
  return {
    async open(shown, answers = {}, look = {}) {
      if (panel === undefined) throw new Error('There is no panel.');
      const models = { findModels: found, suggestModels: suggested, modelPlaces };
      const known = { history, ...models, watchLog: logLines, snapshot: shown };
      const page = await panel.open({ answers: { ...known, ...answers }, ...look });
      if (shown !== undefined) await page.getByRole('tab', { name: 'Overview' }).waitFor();
      return page;
    },
  };
}

/** Sends the panel a snapshot and waits until it is drawn. */
export async function show(page: Page, shown: Snapshot): Promise<void> {
  await emit(page, 'snapshot', shown);
  await page.evaluate('new Promise((done) => requestAnimationFrame(() => setTimeout(done)))');
}

export async function go(page: Page, name: string): Promise<void> {
  await page.getByRole('tab', { name, exact: true }).click();
}

export async function press(page: Page, name: string | RegExp): Promise<void> {
  await page.getByRole('button', { name, exact: true }).click();
}

/** The name, or else the text, of what has the focus. */
export function focused(page: Page): Promise<string> {
  return page.evaluate<string>(
    'document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent.slice(0, 40)',
  );
}

/** The answer to changed settings that took effect this way. */
export function applied(how: string) {
  return { changeSettings: { applied: how } };
}

/** The answer to changed settings that were refused. */
export function refused(...problems: [setting: string, message: string][]) {
  const found = problems.map(([setting, message]) => ({ setting, message }));
  return { changeSettings: { applied: 'no', problems: found } };
}
