import { app, dialog } from 'electron';
import type { Logger } from 'pino';

/**
 * Looks for a newer version when the person asks, and only then; downloads it and has it installed
 * at the next quit only if they say so.
 */
export async function checkForUpdates(log: Logger): Promise<void> {
  if (!app.isPackaged) {
    await tell('This is a build from source.', 'Updates come with the packaged app.');
    return;
  }
  // It needs what only a packaged app has, so it is read when it is needed.
  const { default: updater } = await import('electron-updater');
  const { autoUpdater } = updater;
  autoUpdater.logger = log;
  autoUpdater.autoDownload = false;
  autoUpdater.autoInstallOnAppQuit = false;
  const found = await autoUpdater.checkForUpdates();
  if (found === null || !found.isUpdateAvailable) {
    await tell('Sightglass is up to date.', `This is version ${app.getVersion()}.`);
    return;
  }
  const { version } = found.updateInfo;
  if (!(await ask(`Sightglass ${version} is available.`, 'Download'))) return;
  await autoUpdater.downloadUpdate();
  autoUpdater.autoInstallOnAppQuit = true;
  if (await ask(`Sightglass ${version} will be installed when you quit.`, 'Quit and Install')) {
    app.quit();
  }
}

async function tell(message: string, detail: string): Promise<void> {
  await dialog.showMessageBox({ type: 'info', message, detail, buttons: ['OK'] });
}

/** Whether they want it now. */
async function ask(message: string, action: string): Promise<boolean> {
  const buttons = [action, 'Later'];
  const options = { type: 'info' as const, message, buttons, defaultId: 0, cancelId: 1 };
  return (await dialog.showMessageBox(options)).response === 0;
}
