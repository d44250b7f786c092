import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import type { Download } from '../../server/contract.ts';
import { press, show } from '../renderer/panel-fixture.ts';
import { asked } from '../support/built-panel.ts';
import { noChromium } from '../support/chromium.ts';
import { checks, downloads } from '../support/models.ts';
import { STATES, snapshot } from '../support/snapshots.ts';
import { applied, asksNothing, hasAsked, model, useModels } from './models-fixture.ts';

const skip = noChromium;
const { open } = useModels();
const refused = (message: string) => ({
  changeSettings: { applied: 'no', problems: [{ setting: 'modelPath', message }] },
});
const withDownload = (download: Download) => snapshot({ downloads: [download] });
const searches = (page: Page, count: number) => hasAsked(page, 'findModels', count);

test('the served model is marked, and clicking it does nothing', { skip }, async () => {
  const page = await open(snapshot(), applied);
  const pressed = page.locator('.model-button[aria-pressed="true"]');
  assert.match(
    (await pressed.textContent()) ?? '',
    /^Qwen3-VL-8B-Instruct-4bit✓ Serving · 5\.2 GB/,
  );
  await pressed.click();
  await asksNothing(page);
});

test('a model is listed with its facts, its place, and whether it sees no pictures', {
  skip,
}, async () => {
  const page = await open();
  assert.equal(
    await model(page, 'Qwen3-4B').locator('.model-facts').textContent(),
    '2.3 GB · qwen3 · 4-bit · Hugging Face cache · text only',
  );
});

test('an error of a model is shown under it', { skip }, async () => {
  const page = await open(snapshot(), refused('There is no such folder.'));
  await model(page, 'gemma-3-4b').click();
  const row = page.locator('.model-row').filter({ hasText: 'gemma-3-4b' });
  await row.getByText('There is no such folder.').waitFor();
});

test('cancelling the folder dialog changes nothing', { skip }, async () => {
  const page = await open();
  await press(page, 'Add a Folder…');
  await press(page, 'Choose a Folder…');
  assert.deepEqual(await asked(page), [
    ['chooseModelFolder', undefined],
    ['chooseModelFolder', undefined],
  ]);
});

test('models are searched for again on request and after a download', {
  skip,
}, async () => {
  const page = await open(withDownload(downloads.downloading));
  await searches(page, 1);
  await press(page, 'Search Again');
  await searches(page, 2);
  await show(page, withDownload(downloads.verifying));
  await searches(page, 2);
  await show(page, snapshot());
  await searches(page, 3);
});

test('a failed search is reported and ends', { skip }, async () => {
  const page = await open(snapshot(), { findModels: { refused: 'Not allowed.' } });
  await page.locator('.found').getByText('Not allowed.').waitFor();
  await page.locator('.found .models[aria-busy="false"]').waitFor();
});

test('a suggested model that is present or being downloaded cannot be downloaded again', {
  skip,
}, async () => {
  const page = await open(withDownload(downloads.downloading));
  const rows = page.locator('.suggested-row');
  await rows.getByText('Downloaded', { exact: true }).waitFor();
  const said = await rows.locator(':scope > :nth-child(3)').allTextContents();
  assert.deepEqual(said, ['Download', 'Downloaded', 'Downloading', 'Download']);
  assert.equal(await rows.getByRole('button', { name: /^Download/ }).count(), 2);
});

test('a rejected download is reported in its form', { skip }, async () => {
  const page = await open(snapshot(), { download: { refused: 'There is no model x/y.' } });
  const field = page.getByLabel('or a Hugging Face id');
  await field.fill('x/y');
  await page.keyboard.press('Enter');
  await page.locator('.suggested form').getByText('There is no model x/y.').waitFor();
  assert.equal(await field.inputValue(), 'x/y');
});

test('the searched folders are shown on request, with a note about HF_HOME', {
  skip,
}, async () => {
  const page = await open();
  await page.getByText('Where Sightglass looks').click();
  const rows = page.getByRole('list', { name: 'Where Sightglass looks' }).getByRole('listitem');
  await rows.nth(2).waitFor();
  assert.deepEqual(await rows.allTextContents(), [
    'Hugging Face cache/Users/me/.cache/huggingface/hub',
    'omlx · not found/Users/me/.omlx/models',
    'Your folder/models',
  ]);
  await page.getByText(/opened from Finder does not see HF_HOME/).waitFor();
});

for (const [state, reason] of [
  ['off', 'Start the server to check it.'],
  ['loading', 'The model can be checked once it is loaded.'],
  ['unloaded', 'The model is unloaded. Send a request to load it, then check it.'],
] as const) {
  test(`the model cannot be checked, and the panel says why: ${state}`, { skip }, async () => {
    const page = await open(STATES[state]);
    await page.getByText(reason).waitFor();
    await page.getByRole('button', { name: 'Check This Model' }).press('Enter');
    assert.deepEqual(await asked(page), []);
  });
}

test('answers that differ are shown side by side', { skip }, async () => {
  const page = await open(snapshot({ check: checks.differed }));
  await page.getByText('2 of 12 answers changed when requests ran concurrently.').waitFor();
  await page.getByText('Compare the Answers').click();
  assert.deepEqual(
    await page.locator('.differing dl').first().locator('dt, dd').allTextContents(),
    [
      'Alone',
      'A red circle on a white background.',
      'With 2 concurrent requests',
      'A red circle on a on a on a',
    ],
  );
});

test('a failed check shows its reason', { skip }, async () => {
  const page = await open(snapshot({ check: checks.failed }));
  await page.locator('.serving').getByText(checks.failed.message).waitFor();
});
