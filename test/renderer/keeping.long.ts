import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asked } from '../support/built-panel.ts';
import { noChromium } from '../support/chromium.ts';
import { STATES } from '../support/snapshots.ts';
import { applied, focused, go, press, refused, usePanel } from './panel-fixture.ts';

const skip = noChromium;
const panel = usePanel();

test('choosing a model keeps the other unsaved settings', { skip }, async () => {
  const page = await panel.open(STATES['ready'], {
    ...applied('model_reloading'),
    chooseModelFolder: '/chosen',
  });
  await go(page, 'Settings');
  await page.getByLabel('Port').fill('9123');
  await go(page, 'Models');
  await press(page, 'Choose a Folder…');
  await page.getByText('The model is being loaded.').waitFor();
  await go(page, 'Settings');
  assert.equal(await page.getByLabel('Port').inputValue(), '9123');
});

test('the network switch and the API key show their own errors', { skip }, async () => {
  const problems = refused(['host', 'No such address.'], ['apiKey', 'No spaces.']);
  const page = await panel.open(STATES['ready'], problems);
  await go(page, 'Settings');
  await page.getByLabel('Allow access from the network').check();
  await press(page, 'Apply');
  await page.getByText('No such address.').waitFor();
  const described = (label: string) =>
    page.getByLabel(label, { exact: true }).getAttribute('aria-describedby');
  assert.deepEqual(
    [await described('Allow access from the network'), await described('API key')],
    ['host-problem', 'apiKey-problem'],
  );
});

test('an error of main is shown for every button', { skip }, async () => {
  const page = await panel.open(STATES['off'], { start: { refused: 'The disk is full.' } });
  await press(page, 'Start');
  assert.match((await page.getByRole('alert').textContent()) ?? '', /The disk is full\./);
  await press(page, 'Dismiss');
  assert.equal(await page.getByRole('alert').count(), 0);
});

test('the panel shows an error if main has no snapshot', { skip }, async () => {
  const page = await panel.open(undefined, { snapshot: { refused: 'Main has no snapshot.' } });
  await page.getByRole('alert').getByText('Main has no snapshot.').waitFor();
});

test('a failed search for models ends', { skip }, async () => {
  const page = await panel.open(STATES['no model'], { findModels: { refused: 'Not allowed.' } });
  await page.getByText('Not allowed.').waitFor();
  await page.locator('.models[aria-busy="false"]').waitFor();
});

test('if the free port is rejected too, the panel says so and starts nothing', {
  skip,
}, async () => {
  const page = await panel.open(STATES['port taken'], refused(['port', 'Port 8001 is taken.']));
  await press(page, 'Use Port 8001');
  await page.getByText('Port 8001 is taken.').waitFor();
  assert.deepEqual(await asked(page), [['changeSettings', { port: 8001 }]]);
});

test('a picture is pasted only in Try It', {
  skip,
}, async () => {
  const page = await panel.open(STATES['ready']);
  const paste = () =>
    page.evaluate(
      `(() => {
        const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>';
        const clipboardData = new DataTransfer();
        clipboardData.items.add(new File([svg], 'a.svg', { type: 'image/svg+xml' }));
        document.dispatchEvent(new ClipboardEvent('paste', { clipboardData }));
      })()`,
    );
  await go(page, 'Try It');
  await go(page, 'Settings');
  await paste();
  await go(page, 'Try It');
  assert.equal(await page.locator('.well img').count(), 0);
  await paste();
  await page.locator('.well img').waitFor();
});

test('a picture that Chromium cannot draw is rejected with a reason', { skip }, async () => {
  const page = await panel.open(STATES['ready']);
  await go(page, 'Try It');
  const file = { name: 'a.heic', mimeType: 'image/heic', buffer: Buffer.from('not drawn') };
  await page.locator('input[type=file]').setInputFiles(file);
  await page.getByText('This picture cannot be displayed.').waitFor();
  assert.equal(await page.locator('.well img').count(), 0);
});

test('Home and End select the first and the last view', { skip }, async () => {
  const page = await panel.open(STATES['ready']);
  await page.getByRole('tab', { name: 'Connect' }).click();
  await page.keyboard.press('End');
  assert.equal(await focused(page), 'Settings');
  await page.keyboard.press('Home');
  assert.equal(await focused(page), 'Overview');
});
