import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { noChromium } from '../support/built-panel.ts';
import { endless, post } from '../support/chat.ts';
import type { AppState } from '../support/electron/app-under-test.ts';
import type { AppOptions } from '../support/electron/start-app.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { type SightglassApp, showState, startSightglass } from '../support/sightglass-app.ts';
import { packagedApp, UpdateFeed } from '../support/update-feed.ts';

// electron-updater's own MacUpdater against a server on this machine. Only the part that is macOS's,
// Squirrel.Mac, is the stand-in's.

const skip = noChromium;

interface Options {
  /** Beside the feed's address; or instead of it. */
  config?: (feed: UpdateFeed) => object;
  app?: Partial<AppOptions>;
  isServing?: boolean;
}

async function start(t: TestContext, { config, app = {}, isServing = false }: Options = {}) {
  const feed = await UpdateFeed.start();
  const home = await mkdtemp(join(tmpdir(), 'sightglass-update-'));
  t.after(async () => {
    await feed[Symbol.asyncDispose]();
    await rm(home, { recursive: true, force: true });
  });
  const generic = { provider: 'generic', url: `http://127.0.0.1:${feed.port}` };
  const { launch, installed } = packagedApp(home, config?.(feed) ?? generic, app);
  const running = await startSightglass({ startServerAtLaunch: isServing }, { launch });
  t.after(() => running[Symbol.asyncDispose]());
  return { running, feed, installed };
}

async function check({ app }: SightglassApp, ...buttons: string[]): Promise<void> {
  for (const button of buttons) await app.answerDialog({ button });
  await app.openTrayMenu();
  await app.clickMenuItem('Check for Updates…');
}

/** The message boxes so far: what they say, and what there is to do. */
function messages({ calls }: AppState): string[] {
  const shown = calls.filter(({ name }) => name === 'dialog message');
  return shown.map(({ args }) => {
    const { message, detail } = args[0] as { message: string; detail: string };
    return `${message} ${detail}`;
  });
}

const says = async ({ app }: SightglassApp, pattern: RegExp): Promise<string> => {
  const state = await app.until((each) => messages(each).some((text) => pattern.test(text)));
  return messages(state).find((text) => pattern.test(text)) ?? '';
};

test('a downloaded update is installed when the app quits', { skip }, async (t) => {
  const { running, feed, installed } = await start(t);
  const { app, page } = running;
  await check(running, 'Download', 'Later');
  await says(running, /9\.8\.7 will be installed when you quit/);
  await showState(running, 'Stopped');
  await page.getByText('Sightglass 9.8.7 will be installed when you quit.').waitFor();
  assert.equal(await installed(), undefined, 'not while it runs');
  const menu = await app.openTrayMenu();
  assert.ok(menu.some(({ label }) => label === 'Quit and Install 9.8.7'));
  await app.quit();
  assert.equal(await app.exitCode, 0);
  assert.ok((await installed())?.equals(feed.zip), 'macOS got the whole of it');
});

test('running requests are answered before the app quits for an update', { skip }, async (t) => {
  const { running, feed, installed } = await start(t, { isServing: true });
  const { app, url } = running;
  await app.until(({ tray }) => /readyTemplate/.test(tray?.image ?? ''));
  await check(running, 'Download', 'Later');
  await says(running, /will be installed when you quit/);
  const image = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
  const answer = post(url, { ...endless(image), max_tokens: 600 });
  await app.until(({ blockers }) => blockers.length === 1);
  await app.answerDialog({ button: 'Let Them Finish' });
  await app.openTrayMenu();
  await app.clickMenuItem('Quit and Install 9.8.7');
  assert.equal((await answer).status, 200);
  assert.equal(await app.exitCode, 0);
  assert.ok((await installed())?.equals(feed.zip));
  assert.ok(!app.output().includes('quitAndInstall'));
});

test('an update that the user declines is not downloaded', { skip }, async (t) => {
  const { running, feed, installed } = await start(t);
  await check(running, 'Later');
  await says(running, /9\.8\.7 is available.*You have 0\.1\.0/);
  await running.app.quit();
  assert.equal(await running.app.exitCode, 0);
  assert.deepEqual([feed.asked, await installed()], [['/latest-mac.yml'], undefined]);
});

test('the menu and the panel show the progress of a download', { skip }, async (t) => {
  const { running, feed } = await start(t);
  const { app, page } = running;
  const rest = Promise.withResolvers<void>();
  feed.answers.set(feed.zipPath, async (_request, response) => {
    response.writeHead(200, { 'content-length': feed.zip.length });
    response.write(feed.zip.subarray(0, feed.zip.length / 2));
    await rest.promise;
    response.end(feed.zip.subarray(feed.zip.length / 2));
  });
  await showState(running, 'Stopped');
  await check(running, 'Download', 'Later');
  await page.getByText(/^Downloading Sightglass 9\.8\.7: \d+%$/).waitFor();
  const menu = await app.openTrayMenu();
  const item = menu.find(({ label }) => /^Downloading 9\.8\.7: \d+%$/.test(label));
  assert.equal(item?.enabled, false, 'there is no second check meanwhile');
  rest.resolve();
  await page.getByText('Sightglass 9.8.7 will be installed when you quit.').waitFor();
});

test('an app that is up to date says so', { skip }, async (t) => {
  const { running, feed } = await start(t);
  feed.answers.set('/latest-mac.yml', (_request, response) => {
    response.end(feed.channelFile.replaceAll(feed.version, '0.1.0'));
  });
  await check(running, 'OK');
  await says(running, /up to date.*version 0\.1\.0/);
});

test('a server without a release is reported', { skip }, async (t) => {
  const { running, feed } = await start(t);
  feed.answers.set('/latest-mac.yml', (_request, response) => response.writeHead(404).end());
  await check(running, 'OK');
  await says(running, /No release of Sightglass was found\. .*Check again later/);
});

test('a repository of GitHub that has no release yet is reported', { skip }, async (t) => {
  const config = ({ port }: UpdateFeed) => {
    const host = `127.0.0.1:${port}`;
    return { provider: 'github', owner: 'someone', repo: 'sightglass', host, protocol: 'http' };
  };
  const { running, feed } = await start(t, { config });
  feed.answers.set('/someone/sightglass/releases.atom', (_request, response) => {
    response.end('<feed xmlns="http://www.w3.org/2005/Atom"><title>Release notes</title></feed>');
  });
  await check(running, 'OK');
  await says(running, /No release of Sightglass was found/);
});

test('a server that cannot be reached is reported, and can be asked again', { skip }, async (t) => {
  const closed = createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address() as AddressInfo;
  closed.close();
  await once(closed, 'close');
  const config = () => ({ provider: 'generic', url: `http://127.0.0.1:${port}` });
  const { running } = await start(t, { config });
  await check(running, 'OK');
  await says(running, /could not check for updates\..*Check your internet connection/);
  await running.app.until(({ dialogs }) => dialogs.length === 0);
  await check(running, 'OK');
  await running.app.until((state) => messages(state).length === 2);
});

test('a damaged download is reported and not installed; the next one is', { skip }, async (t) => {
  const { running, feed, installed } = await start(t);
  const { app } = running;
  feed.answers.set(feed.zipPath, (_request, response) => {
    const damaged = Buffer.from(feed.zip);
    damaged.fill(0, 1000, 2000);
    response.writeHead(200, { 'content-length': damaged.length }).end(damaged);
  });
  await check(running, 'Download', 'OK');
  await says(running, /damaged during the download.*nothing was installed.*download it once more/i);
  feed.answers.clear();
  await check(running, 'Download', 'Quit and Install');
  assert.equal(await app.exitCode, 0);
  assert.ok((await installed())?.equals(feed.zip));
});

test('a download that is cut off is reported', { skip }, async (t) => {
  const { running, feed } = await start(t);
  feed.answers.set(feed.zipPath, (_request, response) => {
    response.writeHead(200, { 'content-length': feed.zip.length });
    response.write(feed.zip.subarray(0, 1000), () => response.destroy());
  });
  await check(running, 'Download', 'OK');
  await says(running, /could not be downloaded/);
});

for (const [signature, reason] of [
  ['none', /cannot be installed\. macOS updates only apps that are signed/],
  ['adhoc', /cannot be installed\. It is not signed by the developer of this copy/],
] as const) {
  test(`what macOS says of an app signed "${signature}" is reported`, { skip }, async (t) => {
    const { running, installed } = await start(t, { app: { signature } });
    await check(running, 'Download', 'OK');
    await says(running, reason);
    await check(running, 'Download', 'OK'); // the first attempt has left nothing behind
    await running.app.until(
      (state) => messages(state).filter((each) => reason.test(each)).length === 2,
    );
    await running.app.quit();
    assert.equal(await running.app.exitCode, 0);
    assert.equal(await installed(), undefined);
  });
}
