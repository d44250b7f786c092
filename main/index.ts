import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { app } from 'electron';
import type { Logger } from 'pino';
import { createLog } from '../server/log.ts';
import { restrictWindows, servePanel } from './guard.ts';
import { registerCommands, sendEvent } from './ipc.ts';
import {
  createAppNapBlocker,
  pauseDeadlinesInSleep,
  quitAfterFailedStart,
  requestSingleInstance,
  runInMenuBar,
  setAppMenu,
  setDataFolder,
  shutDownOnQuit,
  wasOpenedAtLogin,
} from './lifecycle.ts';
import { LogTail } from './log-tail.ts';
import { demoModelIn } from './model-library.ts';
import { PanelWindow } from './panel-window.ts';
import { keychain, platform } from './platform.ts';
import { SettingsStore } from './settings-store.ts';
import { Sightglass } from './sightglass.ts';
import { createThrottle, SnapshotFeed } from './snapshot-feed.ts';
import { MenuBarIcon, runTrayAction } from './tray.ts';
import { Updates } from './updates.ts';

const ICON_UPDATE_INTERVAL_MS = 250;

const root = new URL('../', import.meta.url);
const resources = app.isPackaged
  ? pathToFileURL(`${process.resourcesPath}/`)
  : new URL('../resources/', root);

let panel: PanelWindow | undefined;
/** Whether the user opened the app again before there was a panel to show. */
let isReopened = false;

setDataFolder();
const isFirstInstance = requestSingleInstance(() => {
  isReopened = true;
  void panel?.show();
});
if (isFirstInstance) {
  restrictWindows();
  runInMenuBar();
  // Not awaited here: Electron becomes ready only after this module has been evaluated (electron#40719).
  void app
    .whenReady()
    .then(start)
    .catch((error: Error) => {
      if (panel !== undefined) throw error; // the user can still use and quit the app
      return quitAfterFailedStart(error);
    });
} else {
  app.exit(0);
}

/** Builds the parts of the app and connects them. */
async function start(): Promise<void> {
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
    updateAppNapBlocker();
  };
  const sightglass = createSightglass({ store, log, logTail, logFolder: dirname(file), onChange });
  const feed = new SnapshotFeed({
    take: () => sightglass.snapshot(),
    send: (snapshot) => sendEvent(panel?.webContents, 'snapshot', snapshot),
  });
  registerCommands(sightglass.handlers);
  pauseDeadlinesInSleep(sightglass);
  const updateAppNapBlocker = createAppNapBlocker(sightglass);

  panel = new PanelWindow({
    preload: join(import.meta.dirname, 'preload.cjs'),
    icon: () => icon.bounds,
    onVisible: (isVisible) => {
      feed.setVisible(isVisible);
      if (!isVisible) sightglass.onPanelHidden();
    },
  });
  const icon = createIcon(sightglass, log);
  const updateIcon = createThrottle(() => icon.update(), ICON_UPDATE_INTERVAL_MS);
  shutDownOnQuit(sightglass, () => {
    panel?.destroy();
    void flush();
  });

  await sightglass.models.restore();
  const { modelPath, startServerAtLaunch } = store.settings;
  const isFirstLaunch = modelPath === undefined && !wasOpenedAtLogin();
  if (isFirstLaunch || isReopened) await panel.show();
  if (modelPath !== undefined && startServerAtLaunch) await sightglass.start();
}

interface SightglassParts {
  store: SettingsStore;
  log: Logger;
  logTail: LogTail;
  logFolder: string;
  onChange: () => void;
}

/** Connects the app to Electron: dialogs, updates and the panel, which is created later. */
function createSightglass(parts: SightglassParts): Sightglass {
  const { log, onChange } = parts;
  return new Sightglass({
    ...parts,
    resources,
    platform,
    updates: new Updates({ log: log.child({ part: 'updates' }), onChange }),
    panel: {
      keepOpen: (keep) => panel?.keepOpen(keep),
      whileBusy: (work) => panel?.whileBusy(work) ?? work(),
      hide: () => panel?.hide(),
    },
    send: (name, payload) => sendEvent(panel?.webContents, name, payload),
  });
}

function createIcon(sightglass: Sightglass, log: Logger): MenuBarIcon {
  return new MenuBarIcon({
    iconFolder: fileURLToPath(new URL('icons', resources)),
    snapshot: () => sightglass.snapshot(),
    isPanelOpen: () => panel?.isOpen === true,
    onClick: (wasOpen) => void panel?.toggle(wasOpen),
    onAction: (action) => {
      runTrayAction(action, sightglass, async (view) => {
        await panel?.show();
        if (view !== undefined) sendEvent(panel?.webContents, 'open', view);
      }).catch((error: unknown) => log.error({ err: error }, `menu action failed: ${action.do}`));
    },
  });
}
