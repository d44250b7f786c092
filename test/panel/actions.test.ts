import assert from 'node:assert/strict';
import { test } from 'node:test';
import { focused, go, press, TABS, usePanel } from '../renderer/panel-fixture.ts';
import { asked, emit } from '../support/built-panel.ts';
import { noChromium } from '../support/chromium.ts';
import { STATES, snapshot } from '../support/snapshots.ts';

const skip = noChromium;
const panel = usePanel();

test('the large button starts a server that is off', { skip }, async () => {
  const page = await panel.open(STATES['off']);
  await press(page, 'Start');
  assert.deepEqual(await asked(page), [['start', undefined]]);
});

test('the large button stops a server without requests at once', { skip }, async () => {
  const page = await panel.open(STATES['ready']);
  await press(page, 'Stop');
  assert.deepEqual(await asked(page), [['stop', { now: false }]]);
});

for (const [choice, expected] of [
  ['Let Them Finish', [['stop', { now: false }]]],
  ['Stop Now', [['stop', { now: true }]]],
  ['Keep Running', []],
] as const) {
  test(`with requests in flight the button asks first: ${choice}`, { skip }, async () => {
    const page = await panel.open(STATES['busy']);
    await press(page, 'Stop');
    assert.match((await page.getByRole('alertdialog').textContent()) ?? '', /15 requests still/);
    await press(page, choice);
    assert.deepEqual(await asked(page), expected);
    assert.equal(await page.getByRole('alertdialog').count(), 0);
  });
}

test('while running requests finish, the server can still be stopped at once', {
  skip,
}, async () => {
  const page = await panel.open(STATES['draining']);
  await press(page, 'Stop Now');
  assert.deepEqual(await asked(page), [['stop', { now: true }]]);
});

test('if the port is taken, the panel offers a free one', { skip }, async () => {
  const page = await panel.open(STATES['port taken'], { changeSettings: { applied: 'now' } });
  assert.match(
    (await page.getByRole('alert').textContent()) ?? '',
    /already in use.*Choose another/,
  );
  await press(page, 'Use Port 8001');
  await page.waitForFunction('asked.some(([name]) => name === "start")');
  assert.deepEqual(await asked(page), [
    ['changeSettings', { port: 8001 }],
    ['start', undefined],
  ]);
});

test('changed settings are applied together, and an error is shown under its field', {
  skip,
}, async () => {
  const problems = [{ setting: 'maxConcurrency', message: 'Must be at most 1024.' }];
  const page = await panel.open(STATES['ready'], { changeSettings: { applied: 'no', problems } });
  await go(page, 'Settings');
  await page.getByLabel('Requests at once').fill('5000');
  await page.getByLabel('Unload the model after').fill('15');
  await page.getByLabel('Answer without a picture').check();
  await page.getByLabel('Allow access from the network').check();
  await press(page, 'Generate');
  await press(page, 'Apply');
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

const png =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';
const picture = { name: 'a.png', mimeType: 'image/png', buffer: Buffer.from(png, 'base64') };

test('an answer about a picture is shown as it is generated', { skip }, async () => {
  const page = await panel.open(STATES['ready'], { ask: 'ask-1' });
  await go(page, 'Try It');
  await page.getByText('Add a picture to ask about.').waitFor();
  await page.locator('input[type=file]').setInputFiles(picture);
  await page.getByAltText('Attached to the question').waitFor();
  await press(page, 'Ask');
  await page.getByRole('button', { name: 'Stop', exact: true }).nth(1).waitFor();
  assert.deepEqual(await asked(page), [
    ['ask', { question: 'What is in this image?', image: `data:image/png;base64,${png}` }],
  ]);
  await emit(page, 'answer', { kind: 'text', id: 'ask-1', text: 'A red ' });
  await emit(page, 'answer', { kind: 'text', id: 'another', text: 'NOT THIS' });
  await emit(page, 'answer', { kind: 'text', id: 'ask-1', text: 'circle.' });
  await emit(page, 'answer', { kind: 'end', id: 'ask-1', tokens: 4, seconds: 0.5 });
  await page.getByText('4 tokens in 500 ms').waitFor();
  assert.equal(await page.locator('.answer').textContent(), 'A red circle.');
});

test('the log follows its end and can be filtered', { skip }, async () => {
  const page = await panel.open(STATES['ready']);
  await go(page, 'Logs');
  await page.locator('.lines').getByText('id=req-39').waitFor(); // main has sent the earlier lines
  const line = (number: number, level: string, text: string) => ({ number, at: 0, level, text });
  await emit(page, 'log', [line(40, 'error', 'it broke'), line(41, 'debug', 'a detail')]);
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

test('the panel can be used by keyboard alone', { skip }, async () => {
  const page = await panel.open(STATES['off']);
  await page.keyboard.press('Tab');
  assert.equal(await focused(page), 'Start');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  assert.equal(await focused(page), 'Overview');
  for (const name of [...TABS.slice(1), TABS[0]]) {
    await page.keyboard.press('ArrowRight');
    assert.equal(await focused(page), name);
  }
  await page.keyboard.press('ArrowLeft');
  assert.equal(await page.getByRole('tab', { selected: true }).textContent(), 'Settings');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate('document.activeElement.id'), 'maxConcurrency');
  assert.deepEqual(await asked(page), [['start', undefined]]);
});

test('the panel shows the progress of an update, and installs it by quitting', {
  skip,
}, async () => {
  const page = await panel.open({
    ...snapshot(),
    update: { phase: 'downloading', version: '0.2.0', percent: 43 },
  });
  const bar = page.getByRole('progressbar', { name: 'Downloading Sightglass 0.2.0' });
  assert.equal(await bar.getAttribute('value'), '43');
  await emit(page, 'snapshot', { ...snapshot(), update: { phase: 'ready', version: '0.2.0' } });
  await press(page, 'Quit and Install');
  assert.deepEqual(await asked(page), [['quit', undefined]]);
});
