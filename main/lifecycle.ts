import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { app, Menu, powerMonitor, powerSaveBlocker } from 'electron';
import { toAppMenu } from './app-menu.ts';
import { showMessage } from './dialogs.ts';
import { toQuitChoice, toQuitQuestion } from './quit-dialog.ts';
import type { Sightglass } from './sightglass.ts';

/**
 * Makes the app write to the folder of `--user-data-dir`, if that was given. Electron does so itself
 * but does not document it. Call this first: the single-instance lock is in that folder too.
 */
export function useDataFolder(): void {
  const folder = app.commandLine.getSwitchValue('user-data-dir');
  if (folder === '') return;
  const path = resolve(folder);
  mkdirSync(path, { recursive: true });
  app.setPath('userData', path);
}

/**
 * Calls `onReopen` when the app is opened while it runs. Finder, Spotlight and the Dock send
 * `activate`; a second process, as `open -n` starts one, sends `second-instance` and has to exit:
 * then this returns false.
 */
export function becomeSingleInstance(onReopen: () => void): boolean {
  if (!app.requestSingleInstanceLock()) return false;
  app.on('second-instance', onReopen);
  app.on('activate', onReopen);
  return true;
}

/** Says why the app cannot start, then quits: without an icon the user could do neither. */
export async function quitUnstarted({ message }: Error): Promise<void> {
  await showMessage({
    type: 'error',
    message: 'Sightglass cannot start.',
    detail: `${message}\n\nIf a file or folder is named above, check that it is yours and can be written to, then open Sightglass again.`,
    buttons: ['Quit'],
  });
  app.exit(1);
}

/** Hides the Dock icon, and keeps the app running when its window closes. */
export function liveInMenuBar(): void {
  app.dock?.hide();
  app.on('window-all-closed', () => {});
}

/**
 * Sets the menu, whose shortcuts work in the panel. Electron's default menu could reload the panel
 * and open its developer tools; without a menu, ⌘V would do nothing.
 */
export function setAppMenu(): void {
  const template = toAppMenu({ name: app.name, isPackaged: app.isPackaged });
  Menu.setApplicationMenu(Menu.buildFromTemplate(template));
}

/** Whether macOS opened the app at login, when no window should appear. */
export function wasOpenedAtLogin(): boolean {
  return app.getLoginItemSettings().wasOpenedAtLogin;
}

/**
 * No deadline passes while the Mac sleeps. Returns what is to be called after every change: the Mac does
 * not nap while requests run or a model is downloaded.
 */
export function followPower({ power, models }: Sightglass): () => void {
  let blocker: number | undefined;
  const keepAwake = () => {
    const isBusy = power.activity.count > 0 || models.isDownloading;
    if (isBusy) blocker ??= powerSaveBlocker.start('prevent-app-suspension');
    else if (blocker !== undefined) {
      powerSaveBlocker.stop(blocker);
      blocker = undefined;
    }
  };
  powerMonitor.on('suspend', () => power.service?.clock.sleep());
  powerMonitor.on('resume', () => power.service?.clock.wake());
  return keepAwake;
}

/** Quitting lets requests come to their end, or asks; logging out cancels them. */
export function endInOrder(sightglass: Sightglass, onEnd: () => void): void {
  let [hasEnded, isAsking, isLoggingOut] = [false, false, false];
  const end = async () => {
    const running = sightglass.power.activity.count;
    let now = isLoggingOut || running === 0;
    if (!now) {
      isAsking = true;
      const response = await showMessage(toQuitQuestion(running));
      isAsking = false;
      const choice = toQuitChoice(response);
      if (choice === 'stay') return;
      now = choice === 'now';
    }
    await sightglass.close({ now });
    if (hasEnded) return;
    hasEnded = true;
    onEnd();
    app.quit();
  };
  powerMonitor.on('shutdown', () => {
    isLoggingOut = true;
    app.quit();
  });
  app.on('before-quit', (event) => {
    if (hasEnded) return;
    event.preventDefault();
    if (!isAsking) void end();
  });
}
