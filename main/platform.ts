import { app, clipboard, dialog, type MessageBoxOptions, safeStorage, shell } from 'electron';
import type { Cipher } from './settings-store.ts';

/** What the app needs from macOS. */
export interface Platform {
  /** Resolves with undefined if the user cancels. */
  chooseFolder: () => Promise<string | undefined>;
  copy: (text: string) => Promise<void>;
  /** Rejects with the system's error message. */
  openFolder: (path: string) => Promise<void>;
  /** Shows a message with an OK button, and resolves once it is dismissed. */
  showInfo: (message: string, detail: string) => Promise<void>;
  setOpenAtLogin: (open: boolean) => void;
  quit: () => void;
}

/** Dialogs, clipboard, Finder and login items, through Electron. */
export const platform: Platform = {
  chooseFolder: () => chooseFolder('Choose a model folder'),
  copy: (text) => clipboard.writeText(text),
  openFolder: async (path) => {
    const problem = await shell.openPath(path);
    if (problem !== '') throw new Error(problem);
  },
  showInfo,
  setOpenAtLogin: (openAtLogin) => app.setLoginItemSettings({ openAtLogin }),
  quit: () => app.quit(),
};

/** Encrypts secrets with a key from the keychain; the ciphertext is stored with the settings. */
export const keychain: Cipher = {
  encrypt: async (text) => (await safeStorage.encryptStringAsync(text)).toString('base64'),
  decrypt: async (secret) =>
    (await safeStorage.decryptStringAsync(Buffer.from(secret, 'base64'))).result,
};

/**
 * Shows a message box in front of other apps; resolves with the index of the clicked button.
 * Sightglass has no Dock icon, so its dialogs would otherwise open behind the active app's windows.
 */
export async function showMessage(options: MessageBoxOptions): Promise<number> {
  app.focus({ steal: true });
  const { response } = await dialog.showMessageBox(options);
  return response;
}

/** Shows a message with an OK button, and resolves once it is dismissed. */
export async function showInfo(message: string, detail: string): Promise<void> {
  await showMessage({ type: 'info', message, detail, buttons: ['OK'] });
}

/** Resolves with the chosen folder, or undefined if the user cancels. */
async function chooseFolder(title: string): Promise<string | undefined> {
  app.focus({ steal: true });
  const { filePaths } = await dialog.showOpenDialog({
    title,
    properties: ['openDirectory', 'showHiddenFiles'],
  });
  return filePaths[0];
}
