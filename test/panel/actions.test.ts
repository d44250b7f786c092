import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import type { Page } from 'playwright-core';
import type { Snapshot } from '../../server/contract.ts';
import { TABS } from '../renderer/panel-fixture.ts';
import { type Answers, asked, BuiltPanel, tell } from '../support/built-panel.ts';
import { noChromium } from '../support/chromium.ts';
import { found, modelPlaces, suggested } from '../support/models.ts';
import { history, inFlight, logLines, STATES, snapshot } from '../support/snapshots.ts';

const skip = noChromium;
let panel: BuiltPanel;
let page: Page;
before(async () => {
  if (skip === false) panel = await BuiltPanel.start();
});
after(() => panel?.stop());
afterEach(() => {
  assert.deepEqual(panel?.complaints ?? [], []);
});

async function open(shown: Snapshot | undefined, answers: Answers = {}): Promise<void> {
  const models = { findModels: found, suggestModels: suggested, modelPlaces };
  const known = { history, ...models, watchLog: logLines };
  page = await panel.open({ answers: { ...known, snapshot: shown, ...answers } });
  await page.getByRole('tab', { name: 'Overview' }).waitFor();
}
const press = (name: string | RegExp) => page.getByRole('button', { name, exact: true }).click();
const go = (name: string) => page.getByRole('tab', { name }).click();

test('the large button starts a server that is off', { skip }, async () => {
  await open(STATES['off']);
  await press('Start');
  assert.deepEqual(await asked(page), [['start', undefined]]);
});

test('the large button stops a server without requests at once', { skip }, async () => {
  await open(STATES['ready']);
  await press('Stop');
  assert.deepEqual(await asked(page), [['stop', { now: false }]]);
});

for (const [choice, expected] of [
  ['Let Them Finish', [['stop', { now: false }]]],
  ['Stop Now', [['stop', { now: true }]]],
  ['Keep Running', []],
] as const) {
  test(`with requests in flight the button asks first: ${choice}`, { skip }, async () => {
    await open(STATES['busy']);
    await press('Stop');
    assert.match((await page.getByRole('alertdialog').textContent()) ?? '', /15 requests still/);
    await press(choice);
    assert.deepEqual(await asked(page), expected);
    assert.equal(await page.getByRole('alertdialog').count(), 0);
  });
}

test('while running requests finish, the server can still be stopped at once', {
  skip,
}, async () => {
  await open(STATES['draining']);
  await press('Stop Now');
  assert.deepEqual(await asked(page), [['stop', { now: true }]]);
});

test('each request in flight can be cancelled', { skip }, async () => {
  const active = inFlight(3, 1);
  await open(snapshot({ active }, { running: 1, waiting: 2 }));
  await press(`Cancel request ${active[1]?.id}`);
  assert.deepEqual(await asked(page), [['cancel', { id: active[1]?.id }]]);
});

test('if the port is taken, the panel offers a free one', { skip }, async () => {
  await open(STATES['port taken'], { changeSettings: { applied: 'now' } });
  assert.match(
    (await page.getByRole('alert').textContent()) ?? '',
    /already in use.*Choose another/,
  );
  await press('Use Port 8001');
  await page.waitForFunction('asked.some(([name]) => name === "start")');
  assert.deepEqual(await asked(page), [
    ['changeSettings', { port: 8001 }],
    ['start', undefined],
  ]);
});

test('a failure is shown with a remedy and can be dismissed', { skip }, async () => {
  await open(STATES['crashed']);
  await press('Dismiss');
  assert.deepEqual(await asked(page), [['dismissTrouble', undefined]]);
});

for (const [what, act, path] of [
  ['the demo model', () => press('Try the Demo Model'), '/models/demo'],
  [
    'one found on this Mac',
    () => page.locator('.model-button', { hasText: 'gemma' }).click(),
    found[1]?.path,
  ],
  ['a folder', () => press('Choose a Folder…'), '/chosen'],
] as const) {
  test(`without a model, the panel offers ${what}`, { skip }, async () => {
    await open(STATES['no model'], {
      demoModel: '/models/demo',
      chooseModelFolder: '/chosen',
      changeSettings: { applied: 'now' },
    });
    await act();
    await page.waitForFunction('asked.some(([name]) => name === "start")');
    const made = (await asked(page)).filter(([name]) => name === 'changeSettings');
    assert.deepEqual(made, [['changeSettings', { modelPath: path }]]);
  });
}

test('changed settings are applied together, and an error is shown under its field', {
  skip,
}, async () => {
  const problems = [{ setting: 'maxConcurrency', message: 'Must be at most 1024.' }];
  await open(STATES['ready'], { changeSettings: { applied: 'no', problems } });
  await go('Settings');
  await page.getByLabel('Requests at once').fill('5000');
  await page.getByLabel('Unload the model after').fill('15');
  await page.getByLabel('Answer without a picture').check();
  await page.getByLabel('Allow access from the network').check();
  await press('Generate');
  await press('Apply');
  await page.getByText('Must be at most 1024.').waitFor();
  const [[name, changes] = ['', {}]] = await asked(page);
  const { apiKey, ...others } = changes as Record<string, unknown>;
  assert.match(String(apiKey), /^sk-[0-9a-f]{48}$/);
  assert.deepEqual(
    [name, others],
    [
      'changeSettings',
      { maxConcurrency: 5000, idleUnloadMinutes: 15, allowTextOnly: true, host: '0.0.0.0' },
    ],
  );
  const field = page.getByLabel('Requests at once');
  assert.equal(await field.getAttribute('aria-invalid'), 'true');
  assert.match((await field.getAttribute('aria-describedby')) ?? '', /maxConcurrency-problem/);
});

test('after Apply the panel reports the result and disables the button', { skip }, async () => {
  await open(STATES['ready'], { changeSettings: { applied: 'server_restarted' } });
  await go('Settings');
  await page.getByLabel('Port').fill('9000');
  await press('Apply');
  await page.getByText('The server listens on its new address.').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Apply' }).isDisabled(), true);
});

test('an empty field restores the default', { skip }, async () => {
  await open(snapshot({ settings: { ...snapshot().settings, idleUnloadMinutes: 5 } }), {
    changeSettings: { applied: 'now' },
  });
  await go('Settings');
  await page.getByLabel('Unload the model after').fill('');
  await press('Apply');
  assert.deepEqual(await asked(page), [['changeSettings', { idleUnloadMinutes: null }]]);
});

const png =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';
const picture = { name: 'a.png', mimeType: 'image/png', buffer: Buffer.from(png, 'base64') };

test('an answer about a picture is shown as it is generated', { skip }, async () => {
  await open(STATES['ready'], { ask: 'ask-1' });
  await go('Try It');
  await page.getByText('Add a picture to ask about.').waitFor();
  await page.locator('input[type=file]').setInputFiles(picture);
  await page.getByAltText('Attached to the question').waitFor();
  await press('Ask');
  await page.getByRole('button', { name: 'Stop', exact: true }).nth(1).waitFor();
  assert.deepEqual(await asked(page), [
    ['ask', { question: 'What is in this image?', image: `data:image/png;base64,${png}` }],
  ]);
  await tell(page, 'answer', { kind: 'text', id: 'ask-1', text: 'A red ' });
  await tell(page, 'answer', { kind: 'text', id: 'another', text: 'NOT THIS' });
  await tell(page, 'answer', { kind: 'text', id: 'ask-1', text: 'circle.' });
  await tell(page, 'answer', { kind: 'end', id: 'ask-1', tokens: 4, seconds: 0.5 });
  await page.getByText('4 tokens in 500 ms').waitFor();
  assert.equal(await page.locator('.answer').textContent(), 'A red circle.');
});

test('a rejected question is shown with its reason', { skip }, async () => {
  await open(STATES['ready'], { ask: { refused: 'The server is off.' } });
  await go('Try It');
  await page.locator('input[type=file]').setInputFiles(picture);
  await press('Ask');
  await page.getByText('The server is off.').waitFor();
});

test('a file that is not a picture is rejected by name', { skip }, async () => {
  await open(STATES['ready']);
  await go('Try It');
  const file = { name: 'a.txt', mimeType: 'text/plain', buffer: Buffer.from('x') };
  await page.locator('input[type=file]').setInputFiles(file);
  await page.getByText('a.txt is not an image.').waitFor();
});

test('a copied snippet has the real address and key', { skip }, async () => {
  await open(snapshot({ settings: { ...snapshot().settings, apiKey: 'sk-mine' } }));
  await go('Connect');
  await page.getByLabel('For').selectOption('Python');
  await press('Copy the Python snippet');
  const [[name, input] = ['', {}]] = await asked(page);
  assert.equal(name, 'copy');
  assert.match(
    (input as { text: string }).text,
    /base_url="http:\/\/127\.0\.0\.1:8000\/v1", api_key="sk-mine"/,
  );
  assert.equal(await page.getByText('sk-mine', { exact: true }).count(), 0, 'the key is not shown');
});

test('the log follows its end and can be filtered', { skip }, async () => {
  await open(STATES['ready']);
  await go('Logs');
  await page.locator('.lines').getByText('id=req-39').waitFor(); // main has sent what there was
  const line = (number: number, level: string, text: string) => ({ number, at: 0, level, text });
  await tell(page, 'log', [line(40, 'error', 'it broke'), line(41, 'debug', 'a detail')]);
  await page.getByText('it broke').waitFor();
  const end = 'scrollHeight - scrollTop - clientHeight < 2'.replaceAll(
    /scroll\w+|client\w+/g,
    'list.$&',
  );
  await page.waitForFunction(
    `(() => { const list = document.querySelector('.lines'); return ${end}; })()`,
  );
  assert.equal(await page.getByText('a detail').count(), 0, 'below the least level');
  await page.getByLabel('Filter the log').fill('BROKE');
  assert.equal(await page.locator('.line').count(), 1);
});

test('an error of main is shown and can be dismissed', { skip }, async () => {
  await open(STATES['ready'], { openLogs: { refused: 'There is no such folder.' } });
  await go('Logs');
  await press('Open Folder');
  await page.getByRole('alert').getByText('There is no such folder.').waitFor();
  await press('Dismiss');
  assert.equal(await page.getByRole('alert').count(), 0);
});

test('the panel can be used by keyboard alone', { skip }, async () => {
  await open(STATES['off']);
  const focused = () =>
    page.evaluate<string>(
      'document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent',
    );
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'Start');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'Overview');
  for (const name of [...TABS.slice(1), TABS[0]]) {
    await page.keyboard.press('ArrowRight');
    assert.equal(await focused(), name);
  }
  await page.keyboard.press('ArrowLeft');
  assert.equal(await page.getByRole('tab', { selected: true }).textContent(), 'Settings');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate('document.activeElement.id'), 'maxConcurrency');
  assert.deepEqual(await asked(page), [['start', undefined]]);
});

test('an API key that cannot be read from the keychain is reported and can be removed', {
  skip,
}, async () => {
  await open({ ...snapshot(), lockedSecrets: ['apiKey'] }, { changeSettings: { applied: 'now' } });
  await go('Settings');
  await page.getByText(/API key could not be read from the keychain/).waitFor();
  await press('Remove');
  assert.equal(await page.getByText(/could not be read/).count(), 0);
  await press('Apply');
  assert.deepEqual(await asked(page), [['changeSettings', { apiKey: null }]]);
});

test('a token that cannot be read from the keychain can be retried or removed', {
  skip,
}, async () => {
  await open({ ...snapshot(), lockedSecrets: ['hubToken'] });
  await go('Models');
  await page.getByText(/Hugging Face token could not be read from the keychain/).waitFor();
  await press('Try Again');
  await press('Remove the Hugging Face token');
  assert.deepEqual(await asked(page), [
    ['unlockSecrets', undefined],
    ['setHubToken', {}],
  ]);
});

test('the panel shows the progress of an update, and installs it by quitting', {
  skip,
}, async () => {
  await open({ ...snapshot(), update: { phase: 'downloading', version: '0.2.0', percent: 43 } });
  const bar = page.getByRole('progressbar', { name: 'Downloading Sightglass 0.2.0' });
  assert.equal(await bar.getAttribute('value'), '43');
  await tell(page, 'snapshot', { ...snapshot(), update: { phase: 'ready', version: '0.2.0' } });
  await press('Quit and Install');
  assert.deepEqual(await asked(page), [['quit', undefined]]);
});
