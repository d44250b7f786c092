import assert from 'node:assert/strict';
import { test } from 'node:test';
import { post } from '../support/chat.ts';
import { noChromium } from '../support/chromium.ts';
import { startStubbed, textQuestion } from '../support/packaged-app.ts';
import { hasIcon } from '../support/sightglass-app.ts';
import { UpdateFeed } from '../support/update-feed.ts';
import { check, checkAndRead, genericFeed, messages, start } from './update-checks.ts';

// electron-updater's own MacUpdater against a server on this machine. Only macOS's part,
// Squirrel.Mac, is the stand-in's.

const skip = noChromium;
test('running requests are answered before the app quits for an update', { skip }, async () => {
  await using feed = await UpdateFeed.start();
  const update = genericFeed(feed);
  await using running = await startStubbed({}, { update, isOnMac: true });
  const { app, stubs, url, installed } = running;
  await app.until(hasIcon('ready'));
  const stub = await stubs.at(0);
  const answer = post(url, textQuestion);
  answer.catch(() => {}); // so that another failure is reported first
  const { id } = await stub.requests.at(0);
  await check(app, 'Download', 'Later');
  await app.until((state) => messages(state).some((text) => /9\.8\.7 will be/.test(text)));
  await app.answerDialog({ button: 'Let Them Finish' });
  await app.openTrayMenu();
  await app.clickMenuItem('Quit and Install 9.8.7');
  stub.answer(id, 'Done.');
  assert.equal((await answer).status, 200);
  assert.equal(await app.exitCode, 0);
  assert.ok((await installed())?.equals(feed.zip));
});

test('a GitHub repository without a release is reported', { skip }, async (t) => {
  const { app, feed } = await start(t, ({ port }) => {
    const host = `127.0.0.1:${port}`;
    return { provider: 'github', owner: 'someone', repo: 'sightglass', host, protocol: 'http' };
  });
  feed.answers.set('/someone/sightglass/releases.atom', (_request, response) => {
    response.end('<feed xmlns="http://www.w3.org/2005/Atom"><title>Release notes</title></feed>');
  });
  await checkAndRead(app, /No release of Sightglass was found/, 'OK');
});

for (const [signature, pattern] of [
  ['none', /cannot be installed\. macOS updates only apps that are signed/],
  ['adhoc', /cannot be installed\. It is not signed by the developer of this copy/],
] as const) {
  test(`the error of macOS about an app signed "${signature}" is reported`, { skip }, async (t) => {
    const { app, installed } = await start(t, genericFeed, { signature });
    await checkAndRead(app, pattern, 'Download', 'OK');
    await checkAndRead(app, pattern, 'Download', 'OK'); // the first attempt has left nothing behind
    await app.quit();
    assert.equal(await app.exitCode, 0);
    assert.equal(await installed(), undefined);
  });
}
