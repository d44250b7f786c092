import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { AppState } from '../support/electron/app-under-test.ts';
import type { StandInApp } from '../support/electron/start-app.ts';
import { type PackagedOptions, packageApp } from '../support/packaged-app.ts';
import { startSightglass } from '../support/sightglass-app.ts';
import { UpdateFeed } from '../support/update-feed.ts';

/** The `app-update.yml` for a feed on this machine. */
export const genericFeed = ({ port }: UpdateFeed) => ({
  provider: 'generic',
  url: `http://127.0.0.1:${port}`,
});

/** Starts a packaged app with a feed that has an update. */
export async function start(
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
export async function check(app: StandInApp, ...buttons: string[]): Promise<void> {
  for (const button of buttons) await app.answerDialog({ button });
  await app.openTrayMenu();
  await app.clickMenuItem('Check for Updates…');
}

/** The text of the message boxes so far. */
export function messages({ calls }: AppState): string[] {
  const shown = calls.filter(({ name }) => name === 'dialog message');
  return shown.map(({ args }) => {
    const { message, detail } = args[0] as { message: string; detail: string };
    return `${message} ${detail}`;
  });
}

/** Checks for updates, and waits until the last message box shows this text. */
export async function checkAndRead(
  app: StandInApp,
  pattern: RegExp,
  ...buttons: string[]
): Promise<void> {
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
