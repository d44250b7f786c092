import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { app, clipboard, dialog, safeStorage, shell } from 'electron';
import { createLog } from '../server/log.ts';
import { createRuntimeCommand } from '../server/runtime/runtime-command.ts';
import { guardWindows, servePanel } from './guard.ts';
import { registerCommands, sendEvent } from './ipc.ts';
import { becomeSingleInstance, endInOrder, followPower, liveInMenuBar } from './lifecycle.ts';
import { LogTail } from './log-tail.ts';
import { PanelWindow } from './panel-window.ts';
import { SettingsStore } from './settings-store.ts';
import { Sightglass } from './sightglass.ts';
import { SnapshotFeed } from './snapshot-feed.ts';
import { createThrottle } from './throttle.ts';
import { MenuBarIcon } from './tray.ts';
import { createTrayActions } from './tray-actions.ts';

const UPDATE_ICON_EVERY_MS = 250;

if (becomeSingleInstance(() => void panel?.show())) {
  guardWindows();
  liveInMenuBar();
} else {
  app.exit(0);
}
let panel: PanelWindow | undefined;

await app.whenReady();
const root = new URL('../', import.meta.url);
const resources = app.isPackaged
  ? pathToFileURL(`${process.resourcesPath}/`)
  : new URL('../resources/', root);
servePanel(fileURLToPath(new URL('renderer', root)));

const store = await SettingsStore.open(app.getPath('userData'), {
  encrypt: async (text) => (await safeStorage.encryptStringAsync(text)).toString('base64'),
  decrypt: async (secret) =>
    (await safeStorage.decryptStringAsync(Buffer.from(secret, 'base64'))).result,
});
const logTail = new LogTail();
const { log, file, flush } = await createLog(store.settings, { also: [logTail] });
for (const notice of store.notices) log.warn(notice);

const sightglass = new Sightglass({
  store,
  command: createRuntimeCommand(resources),
  log,
  logTail,
  logFolder: dirname(file),
  demoModel: fileURLToPath(new URL('models/demo', resources)),
  platform: {
    chooseFolder: async () => {
      const chosen = await dialog.showOpenDialog({
        title: 'Choose a model folder',
        properties: ['openDirectory', 'showHiddenFiles'],
      });
      return chosen.filePaths[0];
    },
    copy: (text) => clipboard.writeText(text),
    openFolder: (path) => void shell.openPath(path),
    setOpenAtLogin: (openAtLogin) => app.setLoginItemSettings({ openAtLogin }),
    quit: () => app.quit(),
  },
  send: (name, payload) => sendEvent(panel?.webContents, name, payload),
  onChange: () => {
    feed.changed();
    updateIcon();
  },
});
const feed = new SnapshotFeed({
  take: () => sightglass.snapshot(),
  send: (snapshot) => sendEvent(panel?.webContents, 'snapshot', snapshot),
});
registerCommands(sightglass.handlers);
followPower(sightglass);

panel = new PanelWindow({
  preload: join(import.meta.dirname, 'preload.cjs'),
  icon: () => icon.bounds,
  onVisible: (isVisible) => {
    feed.setVisible(isVisible);
    if (!isVisible) sightglass.hidden();
  },
});
const icon = new MenuBarIcon({
  iconFolder: fileURLToPath(new URL('icons', resources)),
  snapshot: () => sightglass.snapshot(),
  onClick: () => void panel?.toggle(),
  onAction: createTrayActions(sightglass, async (view) => {
    await panel?.show();
    if (view !== undefined) sendEvent(panel?.webContents, 'open', view);
  }),
});
const updateIcon = createThrottle(() => icon.update(), UPDATE_ICON_EVERY_MS);
endInOrder(sightglass, () => {
  panel?.destroy();
  flush();
});

const { modelPath, startServerAtLaunch } = store.settings;
if (modelPath === undefined) await panel.show();
else if (startServerAtLaunch) await sightglass.start();
