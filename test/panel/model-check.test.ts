import assert from 'node:assert/strict';
import { test } from 'node:test';
import { press, show } from '../renderer/panel-fixture.ts';
import { asked, noChromium } from '../support/built-panel.ts';
import { checks } from '../support/models.ts';
import { STATES, snapshot } from '../support/snapshots.ts';
import { useModels } from './models-fixture.ts';

const skip = noChromium;
const { open } = useModels();
const settings = snapshot().settings;

for (const [state, reason] of [
  ['off', 'Start the server to check it.'],
  ['loading', 'The model can be checked once it is loaded.'],
  ['unloaded', 'The model is unloaded. Send a request to load it, then check it.'],
] as const) {
  test(`a model is not checked, and why is said: ${state}`, { skip }, async () => {
    const page = await open(STATES[state]);
    await page.getByText(reason).waitFor();
    await page.getByRole('button', { name: 'Check This Model' }).press('Enter');
    assert.deepEqual(await asked(page), []);
  });
}

test('the served model is checked, and the check stopped', { skip }, async () => {
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

test('what a check found is told in words and a table, and what it recommends is set', {
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

test('answers that changed are shown side by side', { skip }, async () => {
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

test('a check that failed says why', { skip }, async () => {
  const page = await open(snapshot({ check: checks.failed }));
  await page.locator('.serving').getByText(checks.failed.message).waitFor();
});
