import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asked, emit } from '../support/built-panel.ts';
import { noChromium } from '../support/chromium.ts';
import { STATES, snapshot, trouble } from '../support/snapshots.ts';
import { applied, focused, go, press, refused, usePanel } from './panel-fixture.ts';

const skip = noChromium;
const panel = usePanel();

test('unfinished input is kept while another view is shown', { skip }, async () => {
  const page = await panel.open(STATES['ready']);
  await go(page, 'Try It');
  await page.getByLabel('Question').fill('How many?');
  await go(page, 'Settings');
  await page.getByLabel('Port').fill('9123');
  await go(page, 'Models');
  await page.getByLabel('or a Hugging Face id').fill('owner/name');
  await go(page, 'Try It');
  assert.equal(await page.getByLabel('Question').inputValue(), 'How many?');
  await go(page, 'Settings');
  assert.equal(await page.getByLabel('Port').inputValue(), '9123');
  await go(page, 'Models');
  assert.equal(await page.getByLabel('or a Hugging Face id').inputValue(), 'owner/name');
});

test('an answer continues while another view is shown', { skip }, async () => {
  const settings = { ...snapshot().settings, allowTextOnly: true };
  const page = await panel.open(snapshot({ settings }), { ask: 'ask-1' });
  await go(page, 'Try It');
  await page.getByLabel('Question').press('Control+Enter');
  await page.getByText('Answering…').waitFor();
  await go(page, 'Overview');
  await emit(page, 'answer', { kind: 'text', id: 'ask-1', text: 'Three.' });
  await emit(page, 'answer', { kind: 'end', id: 'ask-1', tokens: 2, seconds: 1 });
  await go(page, 'Try It');
  await page.getByText('2 tokens in 1.0 s').waitFor();
  assert.equal(await page.locator('.answer').textContent(), 'Three.');
  assert.deepEqual(await asked(page), [['ask', { question: 'What is in this image?', image: '' }]]);
});

test('an error under Advanced is expanded and focused', { skip }, async () => {
  const page = await panel.open(
    STATES['ready'],
    refused(['maxImagePixels', 'Must be at least 1024.']),
  );
  await go(page, 'Settings');
  await page.getByText('Advanced').click();
  await page.getByLabel('Scale pictures down to').fill('1');
  await page.getByText('Advanced').click();
  await press(page, 'Apply');
  await page.getByText('Must be at least 1024.').waitFor();
  assert.equal(await page.evaluate('document.activeElement.id'), 'maxImagePixels');
});

test('the focus stays in place after Apply and after Start', { skip }, async () => {
  const page = await panel.open(STATES['ready'], applied('now'));
  await go(page, 'Settings');
  await page.getByLabel('Port').fill('9123');
  await page.getByRole('button', { name: 'Apply' }).press('Enter');
  await page.getByText('Applied.').waitFor();
  assert.equal(await focused(page), 'Apply');
  await emit(page, 'snapshot', STATES['off']);
  await page.getByRole('button', { name: 'Start', exact: true }).press('Enter');
  await emit(page, 'snapshot', STATES['starting']);
  await page.getByText('Starting').waitFor();
  assert.equal(await page.evaluate('document.activeElement.className'), 'large ');
});

test('a lasting failure is shown until it is fixed', { skip }, async () => {
  const page = await panel.open(snapshot({ runtime: { phase: 'failed', trouble } }));
  const alert = page.getByRole('alert');
  assert.match((await alert.textContent()) ?? '', /killed by SIGKILL/);
  assert.equal(await alert.getByRole('button', { name: 'Dismiss' }).count(), 0);
  await press(page, 'Try Again');
  await page.waitForFunction('asked.some(([name]) => name === "start")');
  assert.deepEqual(await asked(page), [
    ['stop', { now: true }],
    ['start', undefined],
  ]);
});
