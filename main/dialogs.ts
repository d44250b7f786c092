import { app, dialog, type MessageBoxOptions } from 'electron';

/**
 * Shows a message box in front of other apps. Sightglass has no Dock icon, so a dialog that its
 * menu opens would otherwise appear behind the active app's windows.
 */
export async function showMessage(options: MessageBoxOptions): Promise<number> {
  app.focus({ steal: true });
  const { response } = await dialog.showMessageBox(options);
  return response;
}

/** Resolves with the chosen folder, or undefined when the person chose none. */
export async function chooseFolder(title: string): Promise<string | undefined> {
  app.focus({ steal: true });
  const { filePaths } = await dialog.showOpenDialog({
    title,
    properties: ['openDirectory', 'showHiddenFiles'],
  });
  return filePaths[0];
}
