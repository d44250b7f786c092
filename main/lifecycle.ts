import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  app,
  Menu,
  type MenuItemConstructorOptions,
  powerMonitor,
  powerSaveBlocker,
} from 'electron';
import { showMessage } from './platform.ts';
import { toQuitChoice, toQuitDialog } from './quit-dialog.ts';
import type { Sightglass } from './sightglass.ts';

type MenuRole = NonNullable<MenuItemConstructorOptions['role']>;

const EDIT_MENU: readonly MenuRole[] = [
  'undo',
  'redo',
  'cut',
  'copy',
  'paste',
  'pasteAndMatchStyle',
  'delete',
  'selectAll',
];

/**
 * Honors `--user-data-dir`. Electron supports this switch but does not document it. Call this first,
 * because the single-instance lock is stored in that folder too.
 */
export function setDataFolder(): void {
  const folder = app.commandLine.getSwitchValue('user-data-dir');
  if (folder === '') return;
  const path = resolve(folder);
  mkdirSync(path, { recursive: true });
  app.setPath('userData', path);
}

/**
 * Returns false if another instance is already running; this one must then exit. Calls `onReopen`
 * when the user opens the app again: Finder, Spotlight and the Dock send `activate`, and a second
 * process (`open -n`) sends `second-instance`.
 */
export function requestSingleInstance(onReopen: () => void): boolean {
  if (!app.requestSingleInstanceLock()) return false;
  app.on('second-instance', onReopen);
  app.on('activate', onReopen);
  return true;
}

/** Explains why the app cannot start, then quits: without an icon the user could do neither. */
export async function quitAfterFailedStart({ message }: Error): Promise<void> {
  await showMessage({
    type: 'error',
    message: 'Sightglass cannot start.',
    detail: `${message}\n\nIf a file or folder is named above, check that you own it and can write to it, then open Sightglass again.`,
    buttons: ['Quit'],
  });
  app.exit(1);
}

/** Hides the Dock icon, and keeps the app running when its window closes. */
export function runInMenuBar(): void {
  app.dock?.hide();
  app.on('window-all-closed', () => {});
}

/**
 * Sets the app's menu. macOS does not show it for an app without a Dock icon, but its shortcuts work:
 * ⌘C, ⌘V and so on in the panel, ⌘W to hide it, ⌘Q to quit. Only a build from source can reload the
 * panel and open the developer tools; Electron's default menu always could.
 */
export function setAppMenu(): void {
  const toItems = (roles: readonly MenuRole[]) => roles.map((role) => ({ role }));
  const menu: MenuItemConstructorOptions[] = [
    { label: app.name, submenu: toItems(['hide', 'hideOthers', 'unhide', 'quit']) },
    { label: 'File', submenu: toItems(['close']) },
    { label: 'Edit', submenu: toItems(EDIT_MENU) },
  ];
  if (!app.isPackaged) {
    menu.push({ label: 'Develop', submenu: toItems(['reload', 'toggleDevTools']) });
  }
  Menu.setApplicationMenu(Menu.buildFromTemplate(menu));
}

/** Whether macOS opened the app at login, in which case no window should appear. */
export function wasOpenedAtLogin(): boolean {
  return app.getLoginItemSettings().wasOpenedAtLogin;
}

/** Stops the clock of request deadlines while the Mac sleeps. */
export function pauseDeadlinesInSleep({ controller }: Sightglass): void {
  powerMonitor.on('suspend', () => controller.service?.clock.sleep());
  powerMonitor.on('resume', () => controller.service?.clock.wake());
}

/**
 * Returns a function to call after every change. It keeps macOS from suspending the app (App Nap) while
 * requests are in flight or a model is being downloaded.
 */
export function createAppNapBlocker({ controller, models }: Sightglass): () => void {
  let blocker: number | undefined;
  return () => {
    const isBusy = controller.activity.count > 0 || models.isDownloading;
    if (isBusy) blocker ??= powerSaveBlocker.start('prevent-app-suspension');
    else if (blocker !== undefined) {
      powerSaveBlocker.stop(blocker);
      blocker = undefined;
    }
  };
}

/**
 * Shuts down gracefully on quit. If requests are in flight, asks whether to let them finish; at logout
 * or shutdown, cancels them without asking.
 */
export function shutDownOnQuit(sightglass: Sightglass, onShutdown: () => void): void {
  let [isShutDown, isAsking, isLoggingOut] = [false, false, false];
  const shutDown = async () => {
    const running = sightglass.controller.activity.count;
    let now = isLoggingOut || running === 0;
    if (!now) {
      isAsking = true;
      const choice = toQuitChoice(await showMessage(toQuitDialog(running)));
      isAsking = false;
      if (choice === 'stay') return;
      now = choice === 'now';
    }
    await sightglass.close({ now });
    if (isShutDown) return;
    isShutDown = true;
    onShutdown();
    app.quit();
  };
  powerMonitor.on('shutdown', () => {
    isLoggingOut = true;
    app.quit();
  });
  app.on('before-quit', (event) => {
    if (isShutDown) return;
    event.preventDefault();
    if (!isAsking) void shutDown();
  });
}
