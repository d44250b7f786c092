import type { AppActions, AppState, MenuItemState } from './app-under-test.ts';
import { app } from './module/app.ts';
import { BrowserWindow } from './module/browser-window.ts';
import { answerDialog, openDialogs } from './module/dialog.ts';
import { answerInvoke } from './module/ipc-main.ts';
import { clickMenuItem, type MenuItem, shownMenu, theApplicationMenu } from './module/menu.ts';
import { nativeTheme } from './module/native-theme.ts';
import { shownNotifications } from './module/notification.ts';
import { powerMonitor } from './module/power-monitor.ts';
import { startedBlockers } from './module/power-save-blocker.ts';
import { setKeychain } from './module/safe-storage.ts';
import { screen } from './module/screen.ts';
import { clipboard, setOpenPathError } from './module/system.ts';
import { type Tray, trays } from './module/tray.ts';
import { record, recordedCalls, toPlain } from './record.ts';

/** What tests look at and steer, in the app's process; a test reaches it through `startApp`. */
export const standIn: AppActions & { state(): AppState } = {
  state,
  clickTray: (button = 'click') => {
    if (button !== 'click') return theTray().press(button);
    theTray().pressDown();
    theTray().release();
  },
  pressTray: () => theTray().pressDown(),
  releaseTray: () => theTray().release(),
  pressTrayByVoiceOver: () => theTray().pressByVoiceOver(),
  invokeFrom: ({ url, isSubframe = false }, channel, ...args) => {
    const { webContents } = theWindow();
    const parent = isSubframe ? webContents.mainFrame : null;
    const senderFrame = { ...webContents.mainFrame, url, parent };
    answerInvoke(
      channel,
      { sender: webContents, senderFrame, processId: 1, frameId: 2 },
      args,
    ).then(
      (answer) => record('ipc answer', answer),
      (error: Error) => record('ipc refusal', error.message),
    );
  },
  clickMenuItem: (...labels) => clickMenuItem(labels),
  answerDialog,
  emitPower: (event, thermalState) => powerMonitor.happen(event, thermalState),
  activate: () => app.emit('activate', {}, BrowserWindow.getAllWindows().length > 0),
  openSecondInstance: (argv = []) => app.emit('second-instance', {}, argv, process.cwd(), null),
  blur: () => theWindow().blur(),
  closeWindow: () => theWindow().close(),
  clickNotification: () => theFirst('notification', shownNotifications).emit('click', {}),
  setDark: (isDark) => nativeTheme.setSystemDark(isDark),
  placeTray: (bounds) => theTray().place(bounds),
  plugDisplays: (displays) => screen.plug(displays),
  setKeychain,
  setLoginItemStatus: (status) => {
    app.loginItemStatus = status;
  },
  setOpenPathError,
  crashPage: () => theWindow().webContents.crash(),
  quit: () => app.quit(),
};

function state(): AppState {
  const [tray] = trays;
  const menu = shownMenu();
  const appMenu = theApplicationMenu();
  return {
    isReady: app.isReady(),
    isInDock: app.dock.isVisible(),
    opensAtLogin: app.getLoginItemSettings().openAtLogin,
    ...(tray === undefined ? {} : { tray: toTrayState(tray) }),
    ...(menu === undefined ? {} : { menu: menu.items.filter(isVisible).map(toItemState) }),
    ...(appMenu == null ? {} : { appMenu: appMenu.items.map(toItemState) }),
    windows: BrowserWindow.getAllWindows().map((window) => ({
      id: window.id,
      url: window.webContents.getURL(),
      title: window.getTitle(),
      isVisible: window.isVisible(),
      isFocused: window.isFocused(),
      bounds: window.getBounds(),
    })),
    dialogs: openDialogs().map(({ kind, options }) => ({ kind, options })),
    notifications: [...shownNotifications].map(({ options }) => toPlain(options) as object),
    blockers: startedBlockers(),
    clipboard: clipboard.readText(),
    calls: recordedCalls(),
  };
}

function toTrayState(tray: Tray) {
  return {
    image: tray.image.file,
    isTemplate: tray.image.isTemplateImage(),
    hasRetina: tray.image.getScaleFactors().includes(2),
    title: tray.getTitle(),
    toolTip: tray.toolTip,
  };
}

function isVisible({ visible }: MenuItem): boolean {
  return visible;
}

function toItemState({ label, type, enabled, checked, submenu }: MenuItem): MenuItemState {
  const items = submenu?.items.filter(isVisible).map(toItemState);
  return { label, type, enabled, checked, ...(items === undefined ? {} : { submenu: items }) };
}

function theTray(): Tray {
  return theFirst('icon in the menu bar', trays);
}

/** The one with the focus, or the first. */
function theWindow(): BrowserWindow {
  return BrowserWindow.getFocusedWindow() ?? theFirst('open window', BrowserWindow.getAllWindows());
}

function theFirst<Thing>(name: string, things: Iterable<Thing>): Thing {
  for (const thing of things) return thing;
  throw new Error(`There is no ${name}.`);
}
