import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Download } from '../../server/contract.ts';
import { press, show } from '../renderer/panel-fixture.ts';
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

test('a download has an accessible progress bar', { skip }, async () => {
  const page = await open(withDownload(downloads.downloading));
  const bar = page.getByRole('progressbar', { name: `Download of ${downloads.downloading.id}` });
  const part = () => bar.evaluate((each) => (each as unknown as { position: number }).position);
  assert.equal((await part()).toFixed(2), '0.39');
  await show(page, withDownload(downloads.starting));
  assert.equal(await part(), -1, 'not known yet');
});

for (const [phase, label, expected] of [
  ['downloading', 'Pause', ['pauseDownload', {}]],
  ['paused', 'Resume', ['download', { use: false }]],
  ['failed', 'Try Again', ['download', { use: false }]],
] as const) {
  test(`a ${phase} download has the button ${label}`, { skip }, async () => {
    const { id } = downloads[phase];
    const page = await open(withDownload(downloads[phase]));
    await press(page, `${label} the download of ${id}`);
    assert.deepEqual(await asked(page), [[expected[0], { id, ...expected[1] }]]);
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

test('if a token cannot be saved, the panel says so and downloads nothing', { skip }, async () => {
  const page = await open(withDownload(downloads.gated), {
    setHubToken: { refused: 'The keychain is locked.' },
  });
  await page.locator('.hub-token input').fill('hf_secret');
  await page.keyboard.press('Enter');
  await page.locator('.hub-token').getByText('The keychain is locked.').waitFor();
  assert.equal((await asked(page)).length, 1);
});

test('a saved token can be removed', { skip }, async () => {
  const page = await open(snapshot({ hasHubToken: true }));
  await press(page, 'Remove the Hugging Face token');
  assert.deepEqual(await asked(page), [['setHubToken', {}]]);
});

test('progress does not shift the layout', { skip }, async () => {
  const page = await open(withDownload(downloads.downloading));
  const places = async () => {
    const all = await page.locator('.download :is(p, progress, button), .found').all();
    return JSON.stringify(await Promise.all(all.map((each) => each.boundingBox())));
  };
  const before = await places();
  for (const told of [
    { ...downloads.downloading, bytesPerSecond: 124e6, secondsLeft: 8000, doneBytes: 2.9e9 },
    { ...downloads.downloading, secondsLeft: 3 },
    downloads.verifying,
    downloads.paused,
    downloads.starting,
  ]) {
    await show(page, withDownload(told));
    assert.equal(await places(), before, told.phase);
  }
});

test('a new download does not scroll away what the user is looking at', { skip }, async () => {
  const page = await open();
  await page.locator('.found .models[aria-busy="false"]').waitFor();
  await page.locator('.suggested-row').first().waitFor();
  const field = page.getByLabel('or a Hugging Face id');
  await field.scrollIntoViewIfNeeded();
  const place = async () => Math.round((await field.boundingBox())?.y ?? 0);
  const before = await place();
  await show(page, withDownload(downloads.downloading));
  assert.ok(Math.abs((await place()) - before) <= 1, `from ${before} to ${await place()}`);
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
