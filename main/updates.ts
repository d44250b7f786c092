import { dirname } from 'node:path';
import { app, autoUpdater as squirrel } from 'electron';
import type { MacUpdater } from 'electron-updater';
import type { Logger } from 'pino';
import type { UpdateView } from '../server/contract.ts';
import { showInfo, showMessage } from './platform.ts';
import {
  readCodeSignature,
  startProgressTimeout,
  toUpdateObstacle,
  toUpdateTrouble,
} from './update-trouble.ts';

/** How long a server may send nothing. */
const SERVER_TIMEOUT = { withinMs: 2 * 60_000, code: 'ETIMEDOUT' };
/** How long macOS may take to unpack and verify a few hundred megabytes. */
const PREPARE_TIMEOUT = { withinMs: 10 * 60_000, code: 'ERR_UPDATE_NOT_PREPARED' };

export interface UpdatesOptions {
  log: Logger;
  /** Called after every change of `view`. */
  onChange: () => void;
}

type State = UpdateView | { phase: 'idle' } | { phase: 'asking' };

/**
 * Updates the app, only when the user asks for it. An accepted version is downloaded, handed to
 * Squirrel.Mac, and installed when the app quits. Failures are shown with a remedy.
 */
export class Updates {
  readonly #options: UpdatesOptions;
  #state: State = { phase: 'idle' };
  #updater: MacUpdater | undefined;

  constructor(options: UpdatesOptions) {
    this.#options = options;
  }

  /** The update that is in progress or ready to install. */
  get view(): UpdateView | undefined {
    const state = this.#state;
    return state.phase === 'idle' || state.phase === 'asking' ? undefined : state;
  }

  /** Checks for an update, asks, and downloads it. Does nothing if an update is already in progress. */
  async check(): Promise<void> {
    if (this.#state.phase === 'ready') return await this.#offerToQuit(this.#state.version);
    if (this.#state.phase === 'asking') app.focus({ steal: true }); // brings its dialog to the front
    if (this.#state.phase !== 'idle') return;
    if (!app.isPackaged) {
      await showInfo('This is a build from source.', 'Only the packaged app can be updated.');
      return;
    }
    let phase: 'check' | 'download' = 'check';
    try {
      this.#set({ phase: 'checking' });
      const updater = await this.#ensureUpdater();
      const found = await this.#find(updater);
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
      // The updater's promises may never settle (see #download), so the next attempt needs a new updater.
      this.#updater = undefined;
      this.#options.log.error({ err: error }, `update ${phase} failed`);
      this.#set({ phase: 'asking' });
      const { message, remedy } = toUpdateTrouble(error, phase);
      await showInfo(message, remedy).finally(() => this.#set({ phase: 'idle' }));
    }
  }

  async #find(updater: MacUpdater) {
    const timeout = startProgressTimeout(SERVER_TIMEOUT);
    try {
      return await Promise.race([updater.checkForUpdates(), timeout.expired]);
    } finally {
      timeout.stop();
    }
  }

  /** Reports the result of the check; resolves with true if the user wants to download the update. */
  async #isWanted(version: string | undefined): Promise<boolean> {
    this.#set({ phase: 'asking' });
    if (version === undefined) {
      await showInfo('Sightglass is up to date.', `This is version ${app.getVersion()}.`);
      return false;
    }
    const message = `Sightglass ${version} is available.`;
    // …/Sightglass.app/Contents/MacOS/Sightglass
    const bundle = dirname(dirname(dirname(app.getPath('exe'))));
    const obstacle = toUpdateObstacle(await readCodeSignature(bundle));
    if (obstacle !== undefined) {
      await showInfo(message, obstacle);
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
    const timeout = startProgressTimeout(SERVER_TIMEOUT);
    const onProgress = ({ percent }: { percent: number }) => {
      timeout.progress();
      this.#set({ phase: 'downloading', version, percent: Math.floor(percent) });
    };
    const onPrepared = () => prepared.resolve();
    const onDownloaded = () => {
      timeout.progress(PREPARE_TIMEOUT);
      this.#set({ phase: 'preparing', version });
    };
    updater.on('download-progress', onProgress).once('update-downloaded', onDownloaded);
    squirrel.once('update-downloaded', onPrepared).once('error', prepared.reject);
    try {
      await Promise.race([
        prepared.promise,
        updater.downloadUpdate().then(() => prepared.promise),
        timeout.expired,
      ]);
    } finally {
      timeout.stop();
      updater.off('download-progress', onProgress).off('update-downloaded', onDownloaded);
      squirrel.off('update-downloaded', onPrepared).off('error', prepared.reject);
    }
  }

  /**
   * Does not use `quitAndInstall`, which closes all windows before it emits `before-quit`: the panel
   * prevents closing, and requests may be in flight (electron#15453, electron-builder#8997).
   */
  async #offerToQuit(version: string): Promise<void> {
    const message = `Sightglass ${version} will be installed when you quit.`;
    if (await ask(message, 'Open Sightglass again afterwards.', 'Quit and Install')) app.quit();
  }

  async #ensureUpdater(): Promise<MacUpdater> {
    if (this.#updater !== undefined) return this.#updater;
    // Loaded on demand, because it works in a packaged app only.
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

/** Resolves with true if the user chooses the action, false for Later. */
async function ask(message: string, detail: string, action: string): Promise<boolean> {
  const buttons = [action, 'Later'];
  return (
    (await showMessage({ type: 'info', message, detail, buttons, defaultId: 0, cancelId: 1 })) === 0
  );
}
