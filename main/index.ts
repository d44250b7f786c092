import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { app } from 'electron';
import type { View } from '../server/contract.ts';
import { createLog } from '../server/log.ts';
import { guardWindows, servePanel } from './guard.ts';
import { registerCommands, sendEvent } from './ipc.ts';
import {
  becomeSingleInstance,
  endInOrder,
  followPower,
  liveInMenuBar,
  quitUnstarted,
  setAppMenu,
  useDataFolder,
  wasOpenedAtLogin,
} from './lifecycle.ts';
import { LogTail } from './log-tail.ts';
import { demoModelIn } from './model-shelf.ts';
import { PanelWindow } from './panel-window.ts';
import { keychain, platform } from './platform.ts';
import { SettingsStore } from './settings-store.ts';
import { Sightglass } from './sightglass.ts';
import { createThrottle, SnapshotFeed } from './snapshot-feed.ts';

import { MenuBarIcon } from './tray.ts';
import { doTrayAction } from './tray-actions.ts';
import { Updates } from './updates.ts';

const UPDATE_ICON_EVERY_MS = 250;

let panel: PanelWindow | undefined;
/** The app was opened again before it had a panel to show. */
let isReopened = false;

useDataFolder();
const isFirst = becomeSingleInstance(() => {
  isReopened = true;
  void panel?.show();
});
if (isFirst) {
  guardWindows();
  liveInMenuBar();
  // Not awaited here: Electron is ready only once this module has been evaluated (electron#40719).
  void app
    .whenReady()
    .then(start)
    .catch((error: Error) => {
      if (panel !== undefined) throw error; // it can be used, and quit
      return quitUnstarted(error);
    });
} else {
  app.exit(0);
}

/** Builds the parts of the app and connects them. */
async function start(): Promise<void> {
  const root = new URL('../', import.meta.url);
  const resources = app.isPackaged
    ? pathToFileURL(`${process.resourcesPath}/`)
    : new URL('../resources/', root);
  setAppMenu();
  servePanel(fileURLToPath(new URL('renderer', root)));

  const store = await SettingsStore.open({
    folder: app.getPath('userData'),
    cipher: keychain,
    demoModel: demoModelIn(resources),
  });
  const logTail = new LogTail();
  const { log, file, flush } = createLog(store.settings, { also: [logTail] });
  for (const notice of store.notices) log.warn(notice);

  const onChange = () => {
    feed.changed();
    updateIcon();
    keepAwake();
  };
  const updates = new Updates({ log: log.child({ part: 'updates' }), onChange });
  const sightglass = new Sightglass({
    store,
    resources,
    log,
    logTail,
    logFolder: dirname(file),
    platform,
    updates,
    panel: {
      keepOpen: (keep) => panel?.keepOpen(keep),
      whileBusy: (work) => panel?.whileBusy(work) ?? work(),
      hide: () => panel?.hide(),
    },
    send: (name, payload) => sendEvent(panel?.webContents, name, payload),
    onChange,
  });
  const feed = new SnapshotFeed({
    take: () => sightglass.snapshot(),
    send: (snapshot) => sendEvent(panel?.webContents, 'snapshot', snapshot),
  });
  registerCommands(sightglass.handlers);
  const keepAwake = followPower(sightglass);

  panel = new PanelWindow({
    preload: join(import.meta.dirname, 'preload.cjs'),
    icon: () => icon.bounds,
    onVisible: (isVisible) => {
      feed.setVisible(isVisible);
      if (!isVisible) sightglass.hidden();
    },
  });
  const openPanel = async (view?: View) => {
    await panel?.show();
    if (view !== undefined) sendEvent(panel?.webContents, 'open', view);
  };
  const icon = new MenuBarIcon({
    iconFolder: fileURLToPath(new URL('icons', resources)),
    snapshot: () => sightglass.snapshot(),
    isPanelOpen: () => panel?.isOpen === true,
    onClick: (wasOpen) => void panel?.toggle(wasOpen),
    onAction: (action) => {
      doTrayAction(action, sightglass, openPanel).catch((error: unknown) =>
        log.error({ err: error }, `the menu could not ${action.do}`),
      );
    },
  });
  const updateIcon = createThrottle(() => icon.update(), UPDATE_ICON_EVERY_MS);
  endInOrder(sightglass, () => {
    panel?.destroy();
    void flush();
  });

  await sightglass.models.restore();
  const { modelPath, startServerAtLaunch } = store.settings;
  const isFirstStart = modelPath === undefined && !wasOpenedAtLogin();
  if (isFirstStart || isReopened) await panel.show();
  if (modelPath !== undefined && startServerAtLaunch) await sightglass.start();
}
