import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { post } from '../support/chat.ts';
import { noChromium } from '../support/chromium.ts';
import { type StubbedApp, startStubbed, textQuestion } from '../support/packaged-app.ts';
import { hasIcon, openPanel, showState, showView } from '../support/sightglass-app.ts';
import { startRequest } from './running-request.ts';

// Stub runtimes, since a request has to run for exactly as long as the test wants.

const skip = noChromium;

describe('requests of an app', { skip }, () => {
  let running: StubbedApp;
  before(async () => {
    running = await startStubbed({ queueTimeoutSeconds: 60 });
    await showState(running, 'Ready');
  });
  after(() => running?.[Symbol.asyncDispose]());

  test('the panel shows ten requests; more can run at once, and one be cancelled', async () => {
    const { app, page, stubs, url } = running;
    await showView(running, 'Overview');
    const number = (label: string) =>
      page.locator('.numbers div').filter({ hasText: label }).locator('.number');
    const shows = async (label: string, value: number) =>
      number(label).getByText(String(value), { exact: true }).waitFor();
    const stub = await stubs.at(0);

    const first = post(url, textQuestion);
    await shows('Running', 1);
    const others = Array.from({ length: 9 }, () => post(url, textQuestion));
    await shows('Waiting', 9);
    await app.until(({ tray, blockers }) => tray?.title === '9' && blockers.length === 1);
    assert.equal(await page.locator('tbody').first().locator('tr').count(), 10);

    await showView(running, 'Settings');
    await page.getByLabel('Requests at once').fill('2');
    await page.getByRole('button', { name: 'Apply' }).click();
    await page.getByText('Applied.', { exact: true }).waitFor();
    // The first one still runs; the others are answered one after another beside it.
    for (let index = 1; index <= 9; index += 1) {
      stub.answer((await stub.requests.at(index)).id, 'Done.');
    }
    assert.deepEqual(
      (await Promise.all(others)).map(({ status }) => status),
      Array.from({ length: 9 }, () => 200),
    );

    await showView(running, 'Overview');
    const cancel = page.getByRole('button', { name: /^Cancel request/ });
    await cancel.nth(1).waitFor({ state: 'detached' }); // the panel knows that the others ended
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
  });

  test('a hidden panel receives no snapshots; a panel that is shown again is current', async () => {
    const { app, page } = running;
    await openPanel(running);
    await page.evaluate(
      'window.received = 0; window.sightglass.on("snapshot", () => { window.received += 1; })',
    );
    await app.blur();
    const before = await page.evaluate<number>('window.received');
    const request = await startRequest(running);
    await app.until(({ blockers }) => blockers.length === 1);
    assert.equal(await page.evaluate<number>('window.received'), before);
    await openPanel(running);
    await showState(running, 'Busy');
    request.finish();
    assert.equal((await request.answer).status, 200);
    await showState(running, 'Ready');
  });

  test('Stop waits for the running request', async () => {
    const { app, page } = running;
    await openPanel(running);
    const request = await startRequest(running);
    await showState(running, 'Busy');
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.getByRole('button', { name: 'Let Them Finish' }).click();
    await showState(running, 'Finishing requests');
    request.finish();
    assert.equal((await request.answer).status, 200);
    await showState(running, 'Stopped');
    await app.until(hasIcon('stopped'));
  });

  test('Start starts the server again', async () => {
    await openPanel(running);
    await running.page.getByRole('button', { name: 'Start', exact: true }).click();
    await showState(running, 'Ready');
  });
});

test('quitting during a request asks first, and can wait for it', { skip }, async () => {
  await using running = await startStubbed();
  const { app } = running;
  await app.until(hasIcon('ready'));
  const request = await startRequest(running);
  await app.answerDialog({ button: 'Cancel' });
  await app.quit();
  await app.answerDialog({ button: 'Let Them Finish' });
  await app.quit();
  request.finish();
  assert.equal((await request.answer).status, 200);
  assert.equal(await app.exitCode, 0);
});
