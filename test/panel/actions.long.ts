import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { go, press, usePanel } from '../renderer/panel-fixture.ts';
import { asked } from '../support/built-panel.ts';
import { noChromium } from '../support/chromium.ts';
import { found } from '../support/models.ts';
import { inFlight, STATES, snapshot } from '../support/snapshots.ts';

const skip = noChromium;
const panel = usePanel();

test('each request in flight can be cancelled', { skip }, async () => {
  const active = inFlight(3, 1);
  const page = await panel.open(snapshot({ active }, { running: 1, waiting: 2 }));
  await press(page, `Cancel request ${active[1]?.id}`);
  assert.deepEqual(await asked(page), [['cancel', { id: active[1]?.id }]]);
});

test('a failure is shown with a remedy and can be dismissed', { skip }, async () => {
  const page = await panel.open(STATES['crashed']);
  await press(page, 'Dismiss');
  assert.deepEqual(await asked(page), [['dismissTrouble', undefined]]);
});

for (const [what, act, path] of [
  ['the demo model', (page: Page) => press(page, 'Try the Demo Model'), '/models/demo'],
  [
    'one found on this Mac',
    (page: Page) => page.locator('.model-button', { hasText: 'gemma' }).click(),
    found[1]?.path,
  ],
  ['a folder', (page: Page) => press(page, 'Choose a Folder…'), '/chosen'],
] as const) {
  test(`without a model, the panel offers ${what}`, { skip }, async () => {
    const page = await panel.open(STATES['no model'], {
      demoModel: '/models/demo',
      chooseModelFolder: '/chosen',
      changeSettings: { applied: 'now' },
    });
    await act(page);
    await page.waitForFunction('asked.some(([name]) => name === "start")');
    const made = (await asked(page)).filter(([name]) => name === 'changeSettings');
    assert.deepEqual(made, [['changeSettings', { modelPath: path }]]);
  });
}

test('after Apply the panel reports the result and disables the button', { skip }, async () => {
  const page = await panel.open(STATES['ready'], {
    changeSettings: { applied: 'server_restarted' },
  });
  await go(page, 'Settings');
  await page.getByLabel('Port').fill('9000');
  await press(page, 'Apply');
  await page.getByText('The server listens on its new address.').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Apply' }).isDisabled(), true);
});

test('an empty field restores the default', { skip }, async () => {
  const page = await panel.open(
    snapshot({ settings: { ...snapshot().settings, idleUnloadMinutes: 5 } }),
    {
      changeSettings: { applied: 'now' },
    },
  );
  await go(page, 'Settings');
  await page.getByLabel('Unload the model after').fill('');
  await press(page, 'Apply');
  assert.deepEqual(await asked(page), [['changeSettings', { idleUnloadMinutes: null }]]);
});

const png =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';
const picture = { name: 'a.png', mimeType: 'image/png', buffer: Buffer.from(png, 'base64') };

test('a rejected question is shown with its reason', { skip }, async () => {
  const page = await panel.open(STATES['ready'], { ask: { refused: 'The server is off.' } });
  await go(page, 'Try It');
  await page.locator('input[type=file]').setInputFiles(picture);
  await press(page, 'Ask');
  await page.getByText('The server is off.').waitFor();
});

test('a file that is not a picture is rejected by name', { skip }, async () => {
  const page = await panel.open(STATES['ready']);
  await go(page, 'Try It');
  const file = { name: 'a.txt', mimeType: 'text/plain', buffer: Buffer.from('x') };
  await page.locator('input[type=file]').setInputFiles(file);
  await page.getByText('a.txt is not an image.').waitFor();
});

test('a copied snippet has the real address and key', { skip }, async () => {
  const page = await panel.open(
    snapshot({ settings: { ...snapshot().settings, apiKey: 'sk-mine' } }),
  );
  await go(page, 'Connect');
  await page.getByLabel('For').selectOption('Python');
  await press(page, 'Copy the Python snippet');
  const [[name, input] = ['', {}]] = await asked(page);
  assert.equal(name, 'copy');
  assert.match(
    (input as { text: string }).text,
    /base_url="http:\/\/127\.0\.0\.1:8000\/v1", api_key="sk-mine"/,
  );
  assert.equal(await page.getByText('sk-mine', { exact: true }).count(), 0, 'the key is not shown');
});

test('an error of main is shown and can be dismissed', { skip }, async () => {
  const page = await panel.open(STATES['ready'], {
    openLogs: { refused: 'There is no such folder.' },
  });
  await go(page, 'Logs');
  await press(page, 'Open Folder');
  await page.getByRole('alert').getByText('There is no such folder.').waitFor();
  await press(page, 'Dismiss');
  assert.equal(await page.getByRole('alert').count(), 0);
});

test('an API key that cannot be read from the keychain is reported and can be removed', {
  skip,
}, async () => {
  const page = await panel.open(
    { ...snapshot(), lockedSecrets: ['apiKey'] },
    { changeSettings: { applied: 'now' } },
  );
  await go(page, 'Settings');
  await page.getByText(/API key could not be read from the keychain/).waitFor();
  await press(page, 'Remove');
  assert.equal(await page.getByText(/could not be read/).count(), 0);
  await press(page, 'Apply');
  assert.deepEqual(await asked(page), [['changeSettings', { apiKey: null }]]);
});

test('a token that cannot be read from the keychain can be retried or removed', {
  skip,
}, async () => {
  const page = await panel.open({ ...snapshot(), lockedSecrets: ['hubToken'] });
  await go(page, 'Models');
  await page.getByText(/Hugging Face token could not be read from the keychain/).waitFor();
  await press(page, 'Try Again');
  await press(page, 'Remove the Hugging Face token');
  assert.deepEqual(await asked(page), [
    ['unlockSecrets', undefined],
    ['setHubToken', {}],
  ]);
});
