import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { press, show } from '../renderer/panel-fixture.ts';
import { asked } from '../support/built-panel.ts';
import { noChromium } from '../support/chromium.ts';
import { checks, found, suggested } from '../support/models.ts';
import { snapshot } from '../support/snapshots.ts';
import { applied, asksNothing, hasAsked, model, useModels } from './models-fixture.ts';

const skip = noChromium;
const { open } = useModels();
const settings = snapshot().settings;

const searches = (page: Page, count: number) => hasAsked(page, 'findModels', count);

test('clicking a model serves it', { skip }, async () => {
  const page = await open(snapshot(), applied);
  await model(page, 'gemma-3-4b').click();
  assert.deepEqual(await asked(page), [['changeSettings', { modelPath: found[1]?.path }]]);
});

test('a badge says whether a model fits in memory, and a click shows the numbers', {
  skip,
}, async () => {
  const page = await open();
  await page.locator('.found .fit').first().waitFor();
  assert.deepEqual(await page.locator('.found .fit').allTextContents(), [
    'Fits',
    'Fits',
    'Tight',
    'Does not fit',
    'Fits',
  ]);
  await press(page, `Fits: ${found[0]?.name} in numbers`);
  assert.equal(
    await page.locator('.model-more').textContent(),
    '5.2 GB weights + 1 GB for 2 requests of 8,192 tokens; this Mac has 18 GB for models.',
  );
});

test('serving a model that does not fit asks for confirmation', { skip }, async () => {
  const page = await open(snapshot(), applied);
  await model(page, '72B').click();
  assert.match(
    (await page.getByRole('alertdialog').textContent()) ?? '',
    /needs 49\.4 GB, and this Mac has 18 GB/,
  );
  await page.keyboard.press('Enter'); // the answer that changes nothing
  assert.equal(await page.getByRole('alertdialog').count(), 0);
  await asksNothing(page);
  await model(page, '72B').click();
  await press(page, 'Use It Anyway');
  assert.deepEqual(await asked(page), [['changeSettings', { modelPath: found[3]?.path }]]);
});

test('unusable models show a reason and a remedy, and cannot be clicked', { skip }, async () => {
  const page = await open();
  await page.getByText('Cannot be used (3)').click();
  const row = page.locator('.unusable li').first();
  assert.match(
    (await row.textContent()) ?? '',
    /Qwen2-VL-2B-half.*one is missing: model-00002.*Download it again\./,
  );
  assert.equal(await page.locator('.unusable button').count(), 0);
});

test('a chosen folder is served at once', { skip }, async () => {
  const page = await open(snapshot(), { ...applied, chooseModelFolder: '/chosen' });
  await press(page, 'Choose a Folder…');
  await page.getByText('Chosen. The model is being loaded.').waitFor();
  assert.deepEqual(await asked(page), [
    ['chooseModelFolder', undefined],
    ['changeSettings', { modelPath: '/chosen' }],
  ]);
});

test('an added folder is searched and can be removed', { skip }, async () => {
  const page = await open(snapshot({ settings: { ...settings, modelFolders: ['/old'] } }), {
    changeSettings: { applied: 'now' },
    chooseModelFolder: '/new',
  });
  await press(page, 'Add a Folder…');
  await hasAsked(page, 'changeSettings');
  await searches(page, 1);
  await show(page, snapshot({ settings: { ...settings, modelFolders: ['/old', '/new'] } }));
  await searches(page, 2);
  await press(page, 'Remove the folder /old');
  assert.deepEqual((await asked(page)).slice(1), [
    ['changeSettings', { modelFolders: ['/old', '/new'] }],
    ['changeSettings', { modelFolders: ['/new'] }],
  ]);
});

test('a suggested model can be downloaded', { skip }, async () => {
  const page = await open();
  await press(page, 'Download SmolVLM2 500M');
  assert.deepEqual(await asked(page), [['download', { id: suggested[0]?.id, use: false }]]);
});

test('any model of the Hub can be downloaded by its id', { skip }, async () => {
  const page = await open();
  await page.getByLabel('or a Hugging Face id').fill(' owner/name ');
  await page.keyboard.press('Enter');
  await page.getByText('owner/name is downloading').waitFor();
  assert.deepEqual(await asked(page), [['download', { id: 'owner/name', use: false }]]);
});

test('a check of the served model can be started and stopped', { skip }, async () => {
  const page = await open();
  await press(page, 'Check This Model');
  await show(page, snapshot({ check: checks.running }));
  await page.getByText('Asking about pictures: 7 of 18 answered.').waitFor();
  await press(page, 'Stop the check');
  assert.deepEqual(await asked(page), [
    ['checkModel', undefined],
    ['stopCheck', undefined],
  ]);
});

test('a check shows its findings, and its recommendation can be applied', {
  skip,
}, async () => {
  const one = { ...settings, maxConcurrency: 1 };
  const page = await open(snapshot({ check: checks.agreed, settings: one }), {
    changeSettings: { applied: 'now' },
  });
  const serving = page.locator('.serving');
  await serving.getByText('All 6 answers were the same alone and concurrently.').waitFor();
  assert.deepEqual(await page.locator('.speeds tbody tr').allTextContents(), [
    '1411.0×',
    '2671.6×',
    '4882.1×',
  ]);
  await press(page, 'Use 2');
  assert.deepEqual(await asked(page), [['changeSettings', { maxConcurrency: 2 }]]);
  const two = { ...settings, maxConcurrency: 2 };
  await show(page, snapshot({ check: checks.agreed, settings: two }));
  await serving.getByText('In Use', { exact: true }).waitFor();
  assert.equal(await page.getByRole('button', { name: 'Use 2' }).count(), 0);
});
