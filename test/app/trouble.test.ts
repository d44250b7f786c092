import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildApp, noChromium } from '../support/built-panel.ts';
import { post, question } from '../support/chat.ts';
import { freePort } from '../support/free-port.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { demoModel } from '../support/service.ts';
import { appTest, onStandIn, showState } from '../support/sightglass-app.ts';

const image = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');

/** The runtime's process, as the log tells it. */
function pidOf(output: string): number {
  const line = output.split('\n').findLast((each) => each.includes('"msg":"runtime loading"'));
  return JSON.parse(line ?? '{}').runtimePid;
}

appTest('a crash of the runtime is seen in the panel, and recovered from', async (start) => {
  await using running = await start();
  const { app, page, url } = running;
  await showState(running, 'Ready');
  process.kill(pidOf(app.output()), 'SIGKILL');
  const alert = page.getByRole('alert');
  await alert.getByText(/process ended unexpectedly \(killed by SIGKILL\)/).waitFor();
  await alert.getByText('It was restarted').waitFor();
  await showState(running, 'Ready');
  assert.equal((await post(url, question(image))).status, 200);
  await alert.getByRole('button', { name: 'Dismiss' }).click();
  await alert.waitFor({ state: 'detached' });
});

appTest('a port that is taken is said, and the next free one used', async (start) => {
  const port = await freePort();
  const other = createServer().listen(port, '127.0.0.1');
  await once(other, 'listening');
  try {
    await using running = await start({ port });
    const { page } = running;
    await showState(running, 'Failed');
    await page.getByRole('alert').getByText(`Port ${port} is already in use.`).waitFor();
    await page.getByRole('button', { name: /^Use Port/ }).click();
    await showState(running, 'Ready');
    const used = Number((await running.storedSettings())['port']);
    assert.ok(used > port);
    assert.equal((await fetch(`http://127.0.0.1:${used}/health`)).status, 200);
  } finally {
    other.close();
  }
});

appTest(
  'a folder without a model is named for what it is, and another one chosen',
  async (start) => {
    const empty = await mkdtemp(join(tmpdir(), 'sightglass-empty-'));
    try {
      await using running = await start({ modelPath: empty });
      const { app, page } = running;
      await showState(running, 'Failed');
      await page
        .getByRole('alert')
        .getByText(/config\.json/)
        .first()
        .waitFor();
      await app.until(({ tray }) => /failedTemplate/.test(tray?.image ?? ''));
      await page.getByRole('tab', { name: 'Models' }).click();
      await app.answerDialog({ paths: [demoModel] });
      await page.getByRole('button', { name: 'Choose a Folder…' }).click();
      await page.getByText('Chosen. The model is being loaded.').waitFor();
      await showState(running, 'Ready');
      await page.getByRole('alert').waitFor({ state: 'detached' });
    } finally {
      await rm(empty, { recursive: true });
    }
  },
);

appTest(
  'a model that cannot be loaded is given up for the one before, and why is said',
  async (start) => {
    const empty = await mkdtemp(join(tmpdir(), 'sightglass-empty-'));
    try {
      await using running = await start();
      const { app, page, url } = running;
      await showState(running, 'Ready');
      await page.getByRole('tab', { name: 'Models' }).click();
      await app.answerDialog({ paths: [empty] });
      await page.getByRole('button', { name: 'Choose a Folder…' }).click();
      await page
        .getByRole('alert')
        .getByText(/could not be loaded, so demo is used again/)
        .waitFor();
      await showState(running, 'Ready');
      assert.match((await page.locator('header .model').textContent()) ?? '', /^demo/);
      assert.equal((await post(url, question(image))).status, 200);
      assert.equal((await running.storedSettings())['modelPath'], 'demo');
    } finally {
      await rm(empty, { recursive: true });
    }
  },
);

test('an app that cannot read its settings says so and ends, instead of running unseen', {
  skip: noChromium,
}, async (t) => {
  await buildApp();
  const home = await mkdtemp(join(tmpdir(), 'sightglass-home-'));
  t.after(() => rm(home, { recursive: true }));
  // A loop of links fails as a file of another user does, for root too.
  await symlink('settings.json', join(home, 'settings.json'));
  const app = await onStandIn()(home, { HOME: home, XDG_STATE_HOME: home });
  t.after(() => app.stop());
  const { dialogs } = await app.until((state) => state.dialogs.length > 0);
  assert.equal(dialogs[0]?.options['message'], 'Sightglass cannot start.');
  assert.match(
    String(dialogs[0]?.options['detail']),
    /ELOOP.*settings\.json.*check that it is yours/s,
  );
  await app.answerDialog({ button: 'Quit' });
  assert.equal(await app.exitCode, 1);
});
