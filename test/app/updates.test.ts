import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { noChromium } from '../support/chromium.ts';
import type { StandInApp } from '../support/electron/start-app.ts';
import { packageApp } from '../support/packaged-app.ts';
import { type SightglassApp, showState, startSightglass } from '../support/sightglass-app.ts';
import { UpdateFeed } from '../support/update-feed.ts';
import { check, checkAndRead, genericFeed, start } from './update-checks.ts';

// electron-updater's own MacUpdater against a server on this machine. Only macOS's part,
// Squirrel.Mac, is the stand-in's.

const skip = noChromium;
describe('checks that install nothing', { skip }, () => {
  let feed: UpdateFeed;
  let running: SightglassApp<StandInApp>;
  let packaged: Awaited<ReturnType<typeof packageApp>>;
  before(async () => {
    feed = await UpdateFeed.start();
    packaged = await packageApp({ update: genericFeed(feed), isOnMac: true });
    const { launch } = packaged;
    running = await startSightglass({ startServerAtLaunch: false }, { launch });
  });
  after(async () => {
    await running?.[Symbol.asyncDispose]();
    await packaged?.[Symbol.asyncDispose]();
    await feed?.[Symbol.asyncDispose]();
  });

  test('an update that the user declines is not downloaded', async () => {
    await checkAndRead(running.app, /9\.8\.7 is available.*You have 0\.1\.0/, 'Later');
    assert.deepEqual(feed.asked, ['/latest-mac.yml']);
  });

  test('an app that is up to date reports it', async () => {
    feed.answers.set('/latest-mac.yml', (_request, response) => {
      response.end(feed.channelFile.replaceAll(feed.version, '0.1.0'));
    });
    await checkAndRead(running.app, /up to date.*version 0\.1\.0/, 'OK');
  });

  test('a server without a release is reported', async () => {
    feed.answers.set('/latest-mac.yml', (_request, response) => response.writeHead(404).end());
    const pattern = /No release of Sightglass was found\. .*Check again later/;
    await checkAndRead(running.app, pattern, 'OK');
  });

  test('a server that cannot be reached is reported', async () => {
    await feed.pause();
    const pattern = /could not check for updates\..*Check your internet connection/;
    await checkAndRead(running.app, pattern, 'OK');
    await feed.resume();
    feed.answers.clear();
  });

  test('a download that is cut off is reported', async () => {
    feed.answers.set(feed.zipPath, (_request, response) => {
      response.writeHead(200, { 'content-length': feed.zip.length });
      response.write(feed.zip.subarray(0, 1000), () => response.destroy());
    });
    await checkAndRead(running.app, /could not be downloaded/, 'Download', 'OK');
  });

  test('a damaged download is reported and not installed; the next one is', async () => {
    const { app } = running;
    feed.answers.set(feed.zipPath, (_request, response) => {
      const damaged = Buffer.from(feed.zip);
      damaged.fill(0, 1000, 2000);
      response.writeHead(200, { 'content-length': damaged.length }).end(damaged);
    });
    const pattern = /damaged during the download.*nothing was installed.*download it once more/i;
    await checkAndRead(app, pattern, 'Download', 'OK');
    feed.answers.clear();
    await check(app, 'Download', 'Quit and Install');
    assert.equal(await app.exitCode, 0);
    assert.ok((await packaged.installed())?.equals(feed.zip));
  });
});

test('an update is downloaded with its progress shown, and installed at quit', {
  skip,
}, async (t) => {
  const { running, app, feed, installed } = await start(t);
  const { page } = running;
  const rest = Promise.withResolvers<void>();
  feed.answers.set(feed.zipPath, async (_request, response) => {
    response.writeHead(200, { 'content-length': feed.zip.length });
    response.write(feed.zip.subarray(0, feed.zip.length / 2));
    await rest.promise;
    response.end(feed.zip.subarray(feed.zip.length / 2));
  });
  await showState(running, 'Stopped');
  await check(app, 'Download', 'Later');
  await page.getByText(/^Downloading Sightglass 9\.8\.7: \d+%$/).waitFor();
  const menu = await app.openTrayMenu();
  const item = menu.find(({ label }) => /^Downloading 9\.8\.7: \d+%$/.test(label));
  assert.equal(item?.enabled, false, 'no second check can be started meanwhile');
  rest.resolve();
  await page.getByText('Sightglass 9.8.7 will be installed when you quit.').waitFor();
  assert.equal(await installed(), undefined, 'not while it runs');
  const after = await app.openTrayMenu();
  assert.ok(after.some(({ label }) => label === 'Quit and Install 9.8.7'));
  await app.quit();
  assert.equal(await app.exitCode, 0);
  assert.ok((await installed())?.equals(feed.zip), 'macOS has received all of it');
});
