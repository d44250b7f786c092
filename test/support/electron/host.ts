// The process of an app on the stand-in, started by start-app.ts: makes `electron` mean electron.ts,
// runs the app's entry file, and does what the test asks for.

import { registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';
import { app } from './app.ts';
import type { AppActions, AppState, MenuItemState } from './app-under-test.ts';
import { Channel } from './channel.ts';
import { launch } from './launch.ts';
import { clickMenuItem, type Menu, type MenuItem, menuBar, theTray } from './menu-bar.ts';
import { record, shared } from './shared.ts';
import { answerDialog, powerMonitor, system } from './system.ts';
import { BrowserWindow, invokeFrom } from './window.ts';

const KEYS = { altKey: false, shiftKey: false, ctrlKey: false, metaKey: false };

const actions: AppActions = {
  clickTray(button = 'click') {
    if (button === 'click')
      for (const event of ['mouse-down', 'mouse-up']) theTray().emit(event, KEYS);
    theTray().emit(button, KEYS);
  },
  pressTray: () => {
    theWindow().blur();
    theTray().emit('mouse-down', KEYS);
  },
  releaseTray: () => {
    for (const event of ['mouse-up', 'click']) theTray().emit(event, KEYS);
  },
  // In this order: Electron's tray_icon_cocoa.mm.
  pressTrayByVoiceOver: () => {
    for (const event of ['click', 'mouse-down']) theTray().emit(event, KEYS);
  },
  invokeFrom: (frame, channel, ...args) => {
    invokeFrom(frame, channel, ...args).then(
      (result) => record('ipc result', result),
      (error: Error) => record('ipc error', error.message),
    );
  },
  clickMenuItem,
  answerDialog,
  emitPower: (event) => void powerMonitor.emit(event),
  activate: () => void app.emit('activate', {}),
  openSecondInstance: () => void app.emit('second-instance', {}, []),
  blur: () => theWindow().blur(),
  closeWindow: () => theWindow().close(),
  placeTray: (bounds) => theTray().place(bounds),
  setKeychain: (isOpen) => {
    system.isKeychainOpen = isOpen;
  },
  quit: () => app.quit(),
};

shared.test = new Channel(process, {
  ...actions,
  state: readState,
  exit: () => process.exit(),
  fromPage: (name: string, ...args: unknown[]) => {
    const { fromPage } = theWindow().webContents;
    const answer = fromPage[name as keyof typeof fromPage] as (...args: unknown[]) => unknown;
    return answer(...args);
  },
});

// An app without a window or work keeps running, as under Electron, but not without its test.
process.on('disconnect', () => process.exit());
const url = new URL('electron.ts', import.meta.url).href;
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'electron' ? { url, shortCircuit: true } : next(specifier, context),
});
process.argv = [process.execPath, launch.main, ...launch.args];
if (launch.resourcesPath !== undefined) define('resourcesPath', launch.resourcesPath);
// Electron, too, is ready only once the entry file has been evaluated: electron/electron#40719.
await import(pathToFileURL(launch.main).href);
if (launch.isOnMac) {
  define('platform', 'darwin');
  define('arch', 'arm64');
}
app.becomeReady();
await shared.test.call('started');

function define(name: string, value: string): void {
  Object.defineProperty(process, name, { value });
}

function readState(): AppState {
  const { tray, openMenu, appMenu } = menuBar;
  const { window } = app;
  return {
    isInDock: app.isInDock,
    opensAtLogin: app.getLoginItemSettings().openAtLogin,
    ...(tray === undefined
      ? {}
      : {
          tray: {
            image: tray.image.file,
            isTemplate: tray.image.isTemplateImage(),
            hasRetina: tray.image.hasRetina(),
            title: tray.title,
          },
        }),
    ...(openMenu === undefined ? {} : { menu: toState(openMenu) }),
    ...(appMenu === undefined ? {} : { appMenu: toState(appMenu) }),
    windows:
      window instanceof BrowserWindow
        ? [
            {
              url: window.webContents.getURL(),
              isVisible: window.isVisible(),
              bounds: window.getBounds(),
            },
          ]
        : [],
    dialogs: system.dialogs.map(({ kind, options }) => ({ kind, options })),
    blockers: [...system.blockers.values()],
    clipboard: system.clipboard,
    calls: shared.calls,
  };
}

function toState({ items }: Menu): MenuItemState[] {
  return items.map(({ label, type, enabled, checked, submenu }: MenuItem) => ({
    label,
    type,
    enabled,
    checked,
    ...(submenu === undefined ? {} : { submenu: toState(submenu) }),
  }));
}

function theWindow(): BrowserWindow {
  if (app.window instanceof BrowserWindow) return app.window;
  throw new Error('There is no window.');
}
