import assert from 'node:assert/strict';
import { endless, post, question } from '../support/chat.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { appTest, showState } from '../support/sightglass-app.ts';

const image = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');

appTest(
  'the panel shows ten requests, cancels one, and runs more at once when told to',
  async (start) => {
    await using running = await start();
    const { app, page, url } = running;
    await showState(running, 'Ready');
    const number = (label: string) =>
      page.locator('.numbers div').filter({ hasText: label }).locator('.number');
    const shows = async (label: string, value: number) =>
      number(label).getByText(String(value), { exact: true }).waitFor();

    const first = post(url, { ...endless(image), max_tokens: 3000 });
    await shows('Running', 1);
    const others = Array.from({ length: 9 }, () => post(url, question(image)));
    await shows('Waiting', 9);
    await app.until(({ tray, blockers }) => tray?.title === '9' && blockers.length === 1);
    assert.equal(await page.locator('tbody').first().locator('tr').count(), 10);

    // Two at once: one of those that waited runs beside the first, so all of them are answered.
    await page.getByRole('tab', { name: 'Settings' }).click();
    await page.getByLabel('Requests at once').fill('2');
    await page.getByRole('button', { name: 'Apply' }).click();
    await page.getByText('Applied.', { exact: true }).waitFor();
    assert.deepEqual(
      (await Promise.all(others)).map(({ status }) => status),
      Array.from({ length: 9 }, () => 200),
    );

    await page.getByRole('tab', { name: 'Overview' }).click();
    const cancel = page.getByRole('button', { name: /^Cancel request/ });
    await cancel.nth(1).waitFor({ state: 'detached' }); // the panel has heard that the others ended
    await cancel.click();
    const cancelled = await first;
    assert.deepEqual([cancelled.status, cancelled.body.error.code], [503, 'request_cancelled']);
    await showState(running, 'Ready');
    const outcomes = await page
      .getByLabel('Recent requests')
      .locator('tbody td:nth-child(2)')
      .allTextContents();
    assert.deepEqual(
      [outcomes.length, outcomes[0], new Set(outcomes.slice(1))],
      [10, 'cancelled', new Set(['answered'])],
    );
    await app.until(({ blockers, tray }) => blockers.length === 0 && tray?.title === '');
  },
);

appTest(
  'while the panel is hidden it is told nothing, and all when it is shown again',
  async (start) => {
    await using running = await start();
    const { app, page, url } = running;
    await showState(running, 'Ready');
    await page.evaluate(
      'window.told = 0; window.sightglass.on("snapshot", () => { window.told += 1; })',
    );
    await app.blur();
    const before = await page.evaluate<number>('window.told');
    await post(url, question(image));
    assert.equal(await page.evaluate<number>('window.told'), before);
    await app.clickTray();
    await page.getByLabel('Recent requests').getByText('answered').waitFor();
  },
);
