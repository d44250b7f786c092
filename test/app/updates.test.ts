import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import { post } from '../support/chat.ts';
import { noChromium } from '../support/chromium.ts';
import type { AppState } from '../support/electron/app-under-test.ts';
import type { StandInApp } from '../support/electron/start-app.ts';
import {
  type PackagedOptions,
  packageApp,
  startStubbed,
  textQuestion,
} from '../support/packaged-app.ts';
import {
  hasIcon,
  type SightglassApp,
  showState,
  startSightglass,
} from '../support/sightglass-app.ts';
import { UpdateFeed } from '../support/update-feed.ts';

// electron-updater's own MacUpdater against a server on this machine. Only macOS's part,
// Squirrel.Mac, is the stand-in's.

const skip = noChromium;
const genericFeed = ({ port }: UpdateFeed) => ({
  provider: 'generic',
  url: `http://127.0.0.1:${port}`,
});

async function start(
  t: TestContext,
  toUpdate: (feed: UpdateFeed) => object = genericFeed,
  options: PackagedOptions = {},
) {
  const feed = await UpdateFeed.start();
  const packaged = await packageApp({ update: toUpdate(feed), isOnMac: true, ...options });
  const { launch, installed } = packaged;
  const running = await startSightglass({ startServerAtLaunch: false }, { launch });
  t.after(async () => {
    await running[Symbol.asyncDispose]();
    await packaged[Symbol.asyncDispose]();
    await feed[Symbol.asyncDispose]();
  });
  return { running, app: running.app, feed, installed };
}

/** Answers the dialogs to come, then chooses Check for Updates. */
async function check(app: StandInApp, ...buttons: string[]): Promise<void> {
  for (const button of buttons) await app.answerDialog({ button });
  await app.openTrayMenu();
  await app.clickMenuItem('Check for Updates…');
}

/** The text of the message boxes so far. */
function messages({ calls }: AppState): string[] {
  const shown = calls.filter(({ name }) => name === 'dialog message');
  return shown.map(({ args }) => {
    const { message, detail } = args[0] as { message: string; detail: string };
    return `${message} ${detail}`;
  });
}

/** Checks for updates, and waits until the last message box shows this text. */
async function checkAndRead(app: StandInApp, pattern: RegExp, ...buttons: string[]): Promise<void> {
  const before = messages(await app.state()).length;
  await check(app, ...buttons);
  const state = await app.until(
    (each) => each.dialogs.length === 0 && messages(each).length === before + buttons.length,
  );
  assert.match(messages(state).at(-1) ?? '', pattern);
  // The menu offers the next check once the app has handled the answer.
  for (;;) {
    const menu = await app.openTrayMenu();
    if (menu.some(({ label, enabled }) => label === 'Check for Updates…' && enabled)) return;
  }
}

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

  test('an app that is up to date says so', async () => {
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
  test(`what macOS says about an app signed "${signature}" is reported`, { skip }, async (t) => {
    const { app, installed } = await start(t, genericFeed, { signature });
    await checkAndRead(app, pattern, 'Download', 'OK');
    await checkAndRead(app, pattern, 'Download', 'OK'); // the first attempt has left nothing behind
    await app.quit();
    assert.equal(await app.exitCode, 0);
    assert.equal(await installed(), undefined);
  });
}
