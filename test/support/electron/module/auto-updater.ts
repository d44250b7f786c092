import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { launch, openWindows } from '../readiness.ts';
import { record } from '../record.ts';
import { refuseUnknownKeys, StrictEmitter } from '../strict.ts';
import { app } from './app.ts';

const EVENTS = [
  'error',
  'checking-for-update',
  'update-available',
  'update-not-available',
  'update-downloaded',
  'before-quit-for-update',
];
/** The end of a zip file's central directory. */
const ZIP_END = Buffer.from('PK\x05\x06', 'latin1');

interface Feed {
  url: string;
  headers: Record<string, string>;
}

/**
 * Electron's `autoUpdater` on macOS, which is Squirrel.Mac: it asks the feed for the address of a
 * zip, downloads it, checks its code signature against the running app's, and leaves the rest to
 * ShipIt, a process that replaces the app once it has exited, however it exits. Here `launch.signature`
 * says how the running app is signed, a zip counts as intact if it has an end record, and "installed" is
 * the zip in `launch.installFolder`. As in Electron, an unsigned app gets an error from `setFeedURL`,
 * and `checkForUpdates` then does nothing.
 */
class AutoUpdater extends StrictEmitter {
  #feed: Feed | undefined;
  #zip: Buffer | undefined;

  constructor() {
    super('autoUpdater', EVENTS);
    process.on('exit', () => this.#install());
  }

  getFeedURL = () => this.#feed?.url ?? '';

  setFeedURL(options: { url: string; headers?: Record<string, string> }): void {
    refuseUnknownKeys('autoUpdater.setFeedURL', options, ['url', 'headers']);
    this.#feed = undefined;
    if (launch.signature === 'none') {
      this.#fail('Could not get code signature for running application');
      return;
    }
    this.#feed = { url: options.url, headers: options.headers ?? {} };
  }

  checkForUpdates(): void {
    if (this.#feed === undefined) return;
    const feed = this.#feed;
    this.emit('checking-for-update');
    this.#download(feed).catch((error: Error) => this.#fail(error.message));
  }

  /** Closes the windows first, then quits; `before-quit` comes only then. */
  quitAndInstall(): void {
    if (this.#zip === undefined) {
      this.#fail("No update available, can't quit and install");
      return;
    }
    record('autoUpdater.quitAndInstall');
    this.emit('before-quit-for-update');
    for (const window of openWindows) window.close();
    if (openWindows.size === 0) app.quit();
  }

  async #download({ url, headers }: Feed): Promise<void> {
    const answer = await fetch(url, { headers });
    if (answer.status === 204) {
      this.emit('update-not-available');
      return;
    }
    if (!answer.ok) throw new Error(`Update check failed. The server sent an invalid response.`);
    const update = (await answer.json()) as { url: string };
    this.emit('update-available');
    const download = await fetch(update.url, { headers: { accept: 'application/zip' } });
    if (!download.ok) throw new Error('Update download failed');
    const zip = Buffer.from(await download.arrayBuffer());
    record('autoUpdater downloaded', zip.length);
    if (!zip.includes(ZIP_END)) throw new Error('Could not extract archive');
    // The designated requirement of an ad hoc signature is its own hash, which no other build has.
    if (launch.signature === 'adhoc') {
      throw new Error(
        'Code signature at URL file:///update/ did not pass validation: code failed to satisfy specified code requirement(s)',
      );
    }
    this.#zip = zip;
    this.emit('update-downloaded', {}, '', '', new Date(), update.url);
  }

  /** What ShipIt does once the app has exited. */
  #install(): void {
    if (this.#zip === undefined) return;
    rmSync(launch.installFolder, { recursive: true, force: true });
    mkdirSync(launch.installFolder, { recursive: true });
    writeFileSync(join(launch.installFolder, 'update.zip'), this.#zip);
  }

  #fail(message: string): void {
    this.emit('error', new Error(message));
  }
}

export const autoUpdater = new AutoUpdater();
