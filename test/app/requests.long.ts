import assert from 'node:assert/strict';
import { test } from 'node:test';
import { post } from '../support/chat.ts';
import { noChromium } from '../support/chromium.ts';
import { type StubbedApp, startStubbed, textQuestion } from '../support/packaged-app.ts';
import { hasIcon, showState } from '../support/sightglass-app.ts';
import { settle } from './idle-probe.ts';
import { startRequest } from './running-request.ts';

// Stub runtimes, since a request has to run for exactly as long as the test wants.

const skip = noChromium;

test('deadlines are paused while the Mac sleeps', { skip }, async () => {
  await using running = await startStubbed({ queueTimeoutSeconds: 1 });
  const { app, url } = running;
  await app.until(hasIcon('ready'));
  await app.emitPower('suspend');
  const asleep = await startRequest(running);
  const started = performance.now();
  // A second request waits behind it, and cannot time out either.
  const waiting = post(url, textQuestion);
  await new Promise((resolve) => setTimeout(resolve, 1500)); // the deadline itself
  asleep.finish();
  assert.equal((await asleep.answer).status, 200, `${performance.now() - started} ms`);
  const stub = await running.stubs.at(0);
  stub.answer((await stub.requests.at(1)).id, 'Done.');
  assert.equal((await waiting).status, 200);
  await app.emitPower('resume');
  const awake = await startRequest(running);
  assert.equal((await awake.answer).status, 504);
});

for (const [title, quit] of [
  [
    '"Quit Now" cancels the running request',
    async ({ app }: StubbedApp) => {
      await app.answerDialog({ button: 'Quit Now' });
      await app.quit();
    },
  ],
  [
    'logging out cancels the running request without asking',
    ({ app }: StubbedApp) => app.emitPower('shutdown'),
  ],
] as const) {
  test(title, { skip }, async () => {
    await using running = await startStubbed();
    const { app } = running;
    await app.until(hasIcon('ready'));
    const { answer } = await startRequest(running);
    await quit(running);
    assert.equal((await answer).status, 503);
    assert.equal(await app.exitCode, 0);
  });
}

test('after its last request an app with a hidden panel becomes idle', { skip }, async () => {
  await using running = await startStubbed({}, { imports: ['test/support/idle-probe.ts'] });
  const { app, stubs, url } = running;
  await showState(running, 'Ready');
  const answer = post(url, textQuestion);
  const stub = await stubs.at(0);
  stub.answer((await stub.requests.at(0)).id, 'Hello.');
  assert.equal((await answer).status, 200);
  await app.blur();
  const { fired } = await settle(running);
  assert.ok(Object.keys(fired).length > 0, 'the probe has counted the timers of the request');
});
