import assert from 'node:assert/strict';
import { post, question, textOf } from '../support/chat.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { appTest, showState } from '../support/sightglass-app.ts';

const png = await drawShape({ shape: 'circle', color: 'red' });

appTest(
  'at the first start the panel opens by itself and asks for a model; the demo model answers',
  async (start) => {
    await using running = await start(null);
    const { app, page, url } = running;
    await page.getByRole('heading', { name: 'Which model should answer?' }).waitFor();
    const { tray } = await app.state();
    assert.match(tray?.image ?? '', /stoppedTemplate\.png$/);
    await page.getByRole('button', { name: 'Try the Demo Model' }).click();
    await showState(running, 'Ready');
    await app.until((state) => /readyTemplate\.png$/.test(state.tray?.image ?? ''));
    const answer = await post(url, question(toDataUrl(png, 'image/png')));
    assert.equal(textOf(answer), 'A red circle on a white background.');
    assert.equal((await running.storedSettings())['modelPath'], 'demo');
  },
);

appTest('with a model the server starts with the app, the panel stays closed', async (start) => {
  await using running = await start();
  const { app } = running;
  const { windows } = await app.until((state) => /readyTemplate/.test(state.tray?.image ?? ''));
  assert.deepEqual(
    windows.map(({ isVisible }) => isVisible),
    [false],
  );
});

appTest('a server that is not to start with the app waits for the button', async (start) => {
  await using running = await start({ startServerAtLaunch: false });
  await showState(running, 'Stopped');
  await running.page.getByRole('button', { name: 'Start', exact: true }).click();
  await showState(running, 'Ready');
});

appTest('a dropped picture is asked about in the panel', async (start) => {
  await using running = await start();
  const { page } = running;
  await showState(running, 'Ready');
  await page.getByRole('tab', { name: 'Try It' }).click();
  const file = { name: 'circle.png', mimeType: 'image/png', buffer: png };
  await page.locator('input[type=file]').setInputFiles(file);
  await page.getByRole('button', { name: 'Ask', exact: true }).click();
  await page.getByText(/9 tokens in/).waitFor();
  assert.equal(await page.locator('.answer').textContent(), 'A red circle on a white background.');
});
