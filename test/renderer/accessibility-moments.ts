import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { type Answers, emit } from '../support/built-panel.ts';
import { checks, downloads } from '../support/models.ts';
import { STATES, snapshot, trouble } from '../support/snapshots.ts';
import { go, press, TABS } from './panel-fixture.ts';

const axe = await readFile(new URL(import.meta.resolve('axe-core/axe.min.js')), 'utf8');

/** The violations that axe-core finds in the page. */
export async function findings(page: Page): Promise<string[]> {
  await page.evaluate(axe); // the policy is for the page; the debugger may
  return page.evaluate<string[]>(
    'axe.run({ resultTypes: ["violations"] }).then(({ violations }) => violations.map(({ id, nodes }) => id + ": " + nodes[0].html))',
  );
}

export interface Moment {
  name: string;
  state: string;
  answers?: Answers;
  reach: (page: Page) => Promise<unknown>;
}

/** What the panel shows after the user has acted; `STATES` has what main makes it show. */
export const MOMENTS: readonly Moment[] = [
  {
    name: 'the question before a stop',
    state: 'busy',
    reach: (page) => press(page, 'Stop'),
  },
  {
    name: 'a command that failed',
    state: 'off',
    answers: { start: { refused: 'The disk is full.' } },
    reach: (page) => press(page, 'Start'),
  },
  {
    name: 'a key and a token that the keychain refuses',
    state: 'key locked',
    reach: (page) => go(page, 'Settings'),
  },
  {
    name: 'the folders that are searched',
    state: 'key locked',
    reach: async (page) => {
      await go(page, 'Models');
      await page.getByText('Where Sightglass looks').click();
      await page.getByText('/Users/me/.omlx/models').waitFor();
    },
  },
  {
    name: 'settings that were refused',
    state: 'ready',
    answers: {
      changeSettings: {
        applied: 'no',
        problems: ['port', 'host', 'apiKey', 'maxImagePixels', 'hubEndpoint'].map((setting) => ({
          setting,
          message: 'Give another.',
        })),
      },
    },
    reach: async (page) => {
      await go(page, 'Settings');
      await page.getByLabel('Port').fill('-1');
      await page.getByLabel('Allow access from the network').check();
      await press(page, 'Apply');
      await page.getByText('Not applied').waitFor();
    },
  },
  {
    name: 'an answer that failed',
    state: 'ready',
    answers: { ask: 'ask-1' },
    reach: async (page) => {
      await emit(
        page,
        'snapshot',
        snapshot({ settings: { ...snapshot().settings, allowTextOnly: true } }),
      );
      await go(page, 'Try It');
      await press(page, 'Ask');
      await emit(page, 'answer', { kind: 'text', id: 'ask-1', text: 'A' });
      await emit(page, 'answer', { kind: 'error', id: 'ask-1', message: trouble.message });
      await page.getByRole('status').getByText(trouble.message).waitFor();
    },
  },
  {
    name: 'the models, with downloads in every phase and their questions',
    state: 'ready',
    reach: async (page) => {
      const every = Object.entries(downloads).map(([name, each]) => ({ ...each, id: `a/${name}` }));
      const modelFolders = ['/Volumes/Models'];
      await emit(
        page,
        'snapshot',
        snapshot({
          downloads: every,
          hasHubToken: true,
          settings: { ...snapshot().settings, modelFolders },
        }),
      );
      await go(page, 'Models');
      await press(page, 'Cancel the download of a/failed');
      await page.getByText('Cannot be used (3)').click();
      for (const badge of await page.locator('.fit:visible').all()) await badge.click();
    },
  },
  {
    name: 'a model of which it is asked once more, refused',
    state: 'no model',
    answers: {
      changeSettings: { applied: 'no', problems: [{ setting: 'modelPath', message: 'No.' }] },
    },
    reach: async (page) => {
      await page.locator('.model-button', { hasText: 'gemma' }).click();
      await page.getByText('No.', { exact: true }).waitFor();
      await page.locator('.model-button', { hasText: '72B' }).click();
      await page.getByRole('alertdialog').waitFor();
    },
  },
  ...Object.entries(checks).map(([name, check]) => ({
    name: `a check of the model: ${name}`,
    state: 'ready',
    reach: async (page: Page) => {
      await emit(page, 'snapshot', snapshot({ check }));
      await go(page, 'Models');
      for (const summary of await page.locator('summary:visible').all()) await summary.click();
    },
  })),
  {
    name: 'a log that is scrolled up',
    state: 'failed',
    reach: async (page) => {
      await go(page, 'Logs');
      await page.locator('.lines').getByText('id=req-39').waitFor();
      await page.evaluate('document.querySelector(".lines").scrollTop = 0');
      await page.getByText('Paused').waitFor();
    },
  },
];

/** Every state on the overview, every other view, and every moment. */
export const ALL: readonly Moment[] = [
  ...Object.keys(STATES).map((state) => ({
    name: `the overview, ${state}`,
    state,
    reach: (page: Page) => page.getByRole('tab', { name: 'Overview' }).waitFor(),
  })),
  ...TABS.slice(1).map((view) => ({
    name: `the view ${view}`,
    state: 'busy',
    reach: async (page: Page) => {
      await go(page, view);
      for (const summary of await page.locator('summary:visible').all()) await summary.click();
    },
  })),
  ...MOMENTS,
];
