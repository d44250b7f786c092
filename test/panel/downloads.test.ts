import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Download } from '../../server/contract.ts';
import { press } from '../renderer/panel-fixture.ts';
import { asked } from '../support/built-panel.ts';
import { noChromium } from '../support/chromium.ts';
import { downloads, suggested } from '../support/models.ts';
import { STATES, snapshot } from '../support/snapshots.ts';
import { hasAsked, useModels } from './models-fixture.ts';

const skip = noChromium;
const { panel, open } = useModels();
const withDownload = (download: Download) => snapshot({ downloads: [download] });

for (const [phase, words] of [
  ['starting', 'Starting…'],
  ['downloading', '1.2 of 3.1 GB · 24 MB/s · 1 min 20 s left'],
  ['waiting', 'Waiting for the network… · 1.2 of 3.1 GB'],
  ['verifying', 'Checking the files…'],
  ['paused', 'Paused · 1.2 of 3.1 GB'],
  ['failed', 'Failed · 1.2 of 3.1 GB'],
] as const) {
  test(`a download shows its progress: ${phase}`, { skip }, async () => {
    const page = await open(withDownload(downloads[phase]));
    assert.equal(await page.locator('.download .model-facts').textContent(), words);
  });
}

test('cancelling a download asks for confirmation, since it deletes the files', {
  skip,
}, async () => {
  const { id } = downloads.downloading;
  const page = await open(withDownload(downloads.downloading));
  await press(page, `Cancel the download of ${id}`);
  await page.keyboard.press('Escape');
  await press(page, `Cancel the download of ${id}`);
  assert.deepEqual(await asked(page), []);
  await press(page, 'Delete 1.2 GB');
  assert.deepEqual(await asked(page), [['cancelDownload', { id }]]);
});

test('a failed download shows the reason and a remedy', { skip }, async () => {
  const page = await open(withDownload(downloads.failed));
  assert.equal(
    await page.locator('.failure').textContent(),
    `${downloads.failed.problem.message}${downloads.failed.problem.remedy}`,
  );
});

test('a token for a gated model is saved, used, and not shown again', { skip }, async () => {
  const page = await open(withDownload(downloads.gated));
  const field = page.getByLabel('Hugging Face token', { exact: true }).and(page.locator('input'));
  await field.fill(' hf_secret ');
  await press(page, 'Save and Try Again');
  await hasAsked(page, 'download');
  assert.deepEqual(await asked(page), [
    ['setHubToken', { token: 'hf_secret' }],
    ['download', { id: downloads.gated.id, use: false }],
  ]);
  assert.equal(await field.getAttribute('type'), 'password');
  assert.equal(await field.inputValue(), '');
});

test('without a model, a downloaded one is used', { skip }, async () => {
  const page = await panel.open({ ...snapshot(STATES['no model']), downloads: [downloads.paused] });
  await press(page, `Resume the download of ${downloads.paused.id}`);
  await press(page, 'Download SmolVLM2 500M');
  await page.getByLabel('or a Hugging Face id').fill('owner/name');
  await page.keyboard.press('Enter');
  await page.getByText('owner/name is downloading').waitFor();
  assert.deepEqual(
    await asked(page),
    [downloads.paused.id, suggested[0]?.id, 'owner/name'].map((id) => [
      'download',
      { id, use: true },
    ]),
  );
});
