import { app, dialog, powerMonitor, powerSaveBlocker } from 'electron';
import { toQuitChoice, toQuitQuestion } from './quit-dialog.ts';
import type { Sightglass } from './sightglass.ts';

/** Whether this is the only instance; another one has shown itself, and this one is to end. */
export function becomeSingleInstance(onSecond: () => void): boolean {
  const isFirst = app.requestSingleInstanceLock();
  if (isFirst) app.on('second-instance', onSecond);
  return isFirst;
}

/** No Dock icon, and no end of the app when its window closes. */
export function liveInMenuBar(): void {
  app.dock?.hide();
  app.on('window-all-closed', () => {});
}

/**
 * No deadline passes while the Mac sleeps. Returns what is to be called after every change: the Mac does
 * not nap while requests run or a model is downloaded.
 */
export function followPower({ power, models }: Sightglass): () => void {
  let blocker: number | undefined;
  const keepAwake = () => {
    const isBusy = power.activity.count > 0 || models.isDownloading;
    if (isBusy) blocker ??= powerSaveBlocker.start('prevent-app-suspension');
    else if (blocker !== undefined) {
      powerSaveBlocker.stop(blocker);
      blocker = undefined;
    }
  };
  powerMonitor.on('suspend', () => power.service?.clock.sleep());
  powerMonitor.on('resume', () => power.service?.clock.wake());
  return keepAwake;
}

/** Quitting lets requests come to their end, or asks; logging out cancels them. */
export function endInOrder(sightglass: Sightglass, onEnd: () => void): void {
  let [hasEnded, isAsking, isLoggingOut] = [false, false, false];
  const end = async () => {
    const running = sightglass.power.activity.count;
    let now = isLoggingOut || running === 0;
    if (!now) {
      isAsking = true;
      const { response } = await dialog.showMessageBox(toQuitQuestion(running));
      isAsking = false;
      const choice = toQuitChoice(response);
      if (choice === 'stay') return;
      now = choice === 'now';
    }
    await sightglass.close({ now });
    if (hasEnded) return;
    hasEnded = true;
    onEnd();
    app.quit();
  };
  powerMonitor.on('shutdown', () => {
    isLoggingOut = true;
    app.quit();
  });
  app.on('before-quit', (event) => {
    if (hasEnded) return;
    event.preventDefault();
    if (!isAsking) void end();
  });
}
