import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Download } from '../../server/contract.ts';
import { press, show } from '../renderer/panel-fixture.ts';
import { asked } from '../support/built-panel.ts';
import { noChromium } from '../support/chromium.ts';
import { downloads } from '../support/models.ts';
import { snapshot } from '../support/snapshots.ts';
import { useModels } from './models-fixture.ts';

const skip = noChromium;
const { open } = useModels();
const withDownload = (download: Download) => snapshot({ downloads: [download] });

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
  for (const download of [
    { ...downloads.downloading, bytesPerSecond: 124e6, secondsLeft: 8000, doneBytes: 2.9e9 },
    { ...downloads.downloading, secondsLeft: 3 },
    downloads.verifying,
    downloads.paused,
    downloads.starting,
  ]) {
    await show(page, withDownload(download));
    assert.equal(await places(), before, download.phase);
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
