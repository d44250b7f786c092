import { dirname } from 'node:path';
import { app, autoUpdater as squirrel } from 'electron';
import type { MacUpdater } from 'electron-updater';
import type { Logger } from 'pino';
import type { UpdateView } from '../server/contract.ts';
import { readCodeSignature } from './code-signature.ts';
import { showMessage } from './dialogs.ts';
import { toUpdateObstacle, toUpdateTrouble } from './update-trouble.ts';

export interface UpdatesOptions {
  log: Logger;
  /** Called after every change of `view`. */
  onChange: () => void;
}

type State = UpdateView | { phase: 'idle' } | { phase: 'asking' };

/**
 * Updates of the app, looked for when the person asks and only then. A version they want is
 * downloaded, handed to Squirrel.Mac, and installed when the app has quit, in whatever way. Whatever
 * goes wrong is shown with a remedy.
 */
export class Updates {
  readonly #options: UpdatesOptions;
  #state: State = { phase: 'idle' };
  #updater: MacUpdater | undefined;

  constructor(options: UpdatesOptions) {
    this.#options = options;
  }

  /** What is under way, or waits for the app to quit. */
  get view(): UpdateView | undefined {
    const state = this.#state;
    return state.phase === 'idle' || state.phase === 'asking' ? undefined : state;
  }

  /** While a check is under way the menu and the panel show it, and there is no second one. */
  async check(): Promise<void> {
    if (this.#state.phase === 'ready') return await this.#offerToQuit(this.#state.version);
    if (this.#state.phase === 'asking') app.focus({ steal: true }); // brings its dialog to the front
    if (this.#state.phase !== 'idle') return;
    if (!app.isPackaged) {
      await tell('This is a build from source.', 'Updates come with the packaged app.');
      return;
    }
    let phase: 'check' | 'download' = 'check';
    try {
      this.#set({ phase: 'checking' });
      const updater = await this.#ensureUpdater();
      const found = await updater.checkForUpdates();
      const version = found?.isUpdateAvailable ? found.updateInfo.version : undefined;
      if (!(await this.#isWanted(version)) || version === undefined) {
        this.#set({ phase: 'idle' });
        return;
      }
      phase = 'download';
      await this.#download(updater, version);
      this.#set({ phase: 'ready', version });
      await this.#offerToQuit(version);
    } catch (error) {
      // Its download may never settle (see #download): the next attempt needs another one.
      if (phase === 'download') this.#updater = undefined;
      this.#options.log.error({ err: error }, `the ${phase} of an update failed`);
      this.#set({ phase: 'asking' });
      const { message, remedy } = toUpdateTrouble(error, phase);
      await tell(message, remedy).finally(() => this.#set({ phase: 'idle' }));
    }
  }

  /** Tells what was found, and asks whether to download it. */
  async #isWanted(version: string | undefined): Promise<boolean> {
    this.#set({ phase: 'asking' });
    if (version === undefined) {
      await tell('Sightglass is up to date.', `This is version ${app.getVersion()}.`);
      return false;
    }
    const message = `Sightglass ${version} is available.`;
    // …/Sightglass.app/Contents/MacOS/Sightglass
    const bundle = dirname(dirname(dirname(app.getPath('exe'))));
    const obstacle = toUpdateObstacle(await readCodeSignature(bundle));
    if (obstacle !== undefined) {
      await tell(message, obstacle);
      return false;
    }
    const detail = `You have ${app.getVersion()}. The update is installed when you quit Sightglass.`;
    return await ask(message, detail, 'Download');
  }

  /**
   * Resolves when Squirrel.Mac has verified the update and will install it. electron-updater's own
   * promise resolves earlier, as soon as Squirrel.Mac has been sent the file, and never when the
   * running app is unsigned: Squirrel.Mac then reports an error before MacUpdater listens for one.
   */
  async #download(updater: MacUpdater, version: string): Promise<void> {
    this.#set({ phase: 'downloading', version, percent: 0 });
    const prepared = Promise.withResolvers<void>();
    const onProgress = ({ percent }: { percent: number }) =>
      this.#set({ phase: 'downloading', version, percent: Math.floor(percent) });
    const onPrepared = () => prepared.resolve();
    const onDownloaded = () => this.#set({ phase: 'preparing', version });
    updater.on('download-progress', onProgress).once('update-downloaded', onDownloaded);
    squirrel.once('update-downloaded', onPrepared).once('error', prepared.reject);
    try {
      await Promise.race([prepared.promise, updater.downloadUpdate().then(() => prepared.promise)]);
    } finally {
      updater.off('download-progress', onProgress).off('update-downloaded', onDownloaded);
      squirrel.off('update-downloaded', onPrepared).off('error', prepared.reject);
    }
  }

  /**
   * Not `quitAndInstall`: it closes the windows before `before-quit`, which our panel and the
   * question about running requests prevent (electron#15453, electron-builder#8997).
   */
  async #offerToQuit(version: string): Promise<void> {
    const message = `Sightglass ${version} will be installed when you quit.`;
    if (await ask(message, 'Open Sightglass again afterwards.', 'Quit and Install')) app.quit();
  }

  async #ensureUpdater(): Promise<MacUpdater> {
    if (this.#updater !== undefined) return this.#updater;
    // Read when it is needed: it wants what only a packaged app has.
    const { default: updaters } = await import('electron-updater');
    const updater = new updaters.MacUpdater();
    updater.logger = this.#options.log;
    updater.autoDownload = false;
    // MacUpdater hands the file to Squirrel.Mac only if this is true while it downloads.
    updater.autoInstallOnAppQuit = true;
    this.#updater = updater;
    return updater;
  }

  #set(state: State): void {
    if (JSON.stringify(state) === JSON.stringify(this.#state)) return;
    this.#state = state;
    this.#options.onChange();
  }
}

async function tell(message: string, detail: string): Promise<void> {
  await showMessage({ type: 'info', message, detail, buttons: ['OK'] });
}

/** Whether they want it now. */
async function ask(message: string, detail: string, action: string): Promise<boolean> {
  const buttons = [action, 'Later'];
  return (
    (await showMessage({ type: 'info', message, detail, buttons, defaultId: 0, cancelId: 1 })) === 0
  );
}
