import { app, clipboard, safeStorage, shell } from 'electron';
import { chooseFolder, say } from './dialogs.ts';
import type { Cipher } from './settings-store.ts';

/** What the app needs of the system it runs on. */
export interface Platform {
  /** Undefined when the person chose none. */
  chooseFolder: () => Promise<string | undefined>;
  copy: (text: string) => Promise<void>;
  /** Rejects with the system's reason. */
  openFolder: (path: string) => Promise<void>;
  /** Shows a message and resolves once it is dismissed. */
  say: (message: string, detail: string) => Promise<void>;
  setOpenAtLogin: (open: boolean) => void;
  quit: () => void;
}

/** The system's dialogs, clipboard and folders. */
export const platform: Platform = {
  chooseFolder: () => chooseFolder('Choose a model folder'),
  copy: (text) => clipboard.writeText(text),
  openFolder: async (path) => {
    const problem = await shell.openPath(path);
    if (problem !== '') throw new Error(problem);
  },
  say,
  setOpenAtLogin: (openAtLogin) => app.setLoginItemSettings({ openAtLogin }),
  quit: () => app.quit(),
};

/** The keychain's key keeps secrets, which lie encrypted among the settings. */
export const keychain: Cipher = {
  encrypt: async (text) => (await safeStorage.encryptStringAsync(text)).toString('base64'),
  decrypt: async (secret) =>
    (await safeStorage.decryptStringAsync(Buffer.from(secret, 'base64'))).result,
};
