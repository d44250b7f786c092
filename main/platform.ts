import { app, clipboard, dialog, safeStorage, shell } from 'electron';
import type { Cipher } from './settings-store.ts';
import type { Platform } from './sightglass.ts';
import { checkForUpdates } from './updates.ts';

/** The system's dialogs, clipboard and folders. */
export const platform: Platform = {
  chooseFolder: async () => {
    const { filePaths } = await dialog.showOpenDialog({
      title: 'Choose a model folder',
      properties: ['openDirectory', 'showHiddenFiles'],
    });
    return filePaths[0];
  },
  copy: (text) => clipboard.writeText(text),
  openFolder: async (path) => {
    const problem = await shell.openPath(path);
    if (problem !== '') throw new Error(problem);
  },
  setOpenAtLogin: (openAtLogin) => app.setLoginItemSettings({ openAtLogin }),
  checkForUpdates,
  quit: () => app.quit(),
};

/** The keychain's key keeps secrets, which lie encrypted among the settings. */
export const keychain: Cipher = {
  encrypt: async (text) => (await safeStorage.encryptStringAsync(text)).toString('base64'),
  decrypt: async (secret) =>
    (await safeStorage.decryptStringAsync(Buffer.from(secret, 'base64'))).result,
};
