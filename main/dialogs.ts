import { app, dialog, type MessageBoxOptions } from 'electron';

/**
 * Shows a message box in front of other apps; resolves with the index of the button. Sightglass has
 * no Dock icon, so its dialogs would otherwise appear behind the active app's windows.
 */
export async function showMessage(options: MessageBoxOptions): Promise<number> {
  app.focus({ steal: true });
  const { response } = await dialog.showMessageBox(options);
  return response;
}

/** Shows a message and resolves once it is dismissed. */
export async function say(message: string, detail: string): Promise<void> {
  await showMessage({ type: 'info', message, detail, buttons: ['OK'] });
}

/** Resolves with the chosen folder, or undefined if none was chosen. */
export async function chooseFolder(title: string): Promise<string | undefined> {
  app.focus({ steal: true });
  const { filePaths } = await dialog.showOpenDialog({
    title,
    properties: ['openDirectory', 'showHiddenFiles'],
  });
  return filePaths[0];
}
