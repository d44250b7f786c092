import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { launch } from './launch.ts';
import { StrictEmitter } from './shared.ts';

/** The end of a zip file's central directory. */
const ZIP_END = Buffer.from('PK\x05\x06', 'latin1');

/** Chromium's names for network errors, by Node's codes. */
const CHROMIUM_ERRORS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'net::ERR_CONNECTION_REFUSED',
  ECONNRESET: 'net::ERR_CONNECTION_RESET',
};

export const net = {
  /** Plain HTTP to this machine, with Chromium's names for errors. */
  request(options: http.RequestOptions): http.ClientRequest {
    if (options.hostname !== '127.0.0.1') {
      throw new Error(`the stand-in has no net.request to ${options.hostname}`);
    }
    const request = http.request(options);
    const emit = request.emit.bind(request) as (event: string, ...args: unknown[]) => boolean;
    request.emit = (event: string, ...args: unknown[]) => {
      if (event !== 'error') return emit(event, ...args);
      const [{ code = '' }] = args as [NodeJS.ErrnoException];
      return emit('error', new Error(CHROMIUM_ERRORS[code] ?? 'net::ERR_FAILED'));
    };
    return request;
  },
};

/**
 * Electron's `autoUpdater` on macOS, which is Squirrel.Mac: it asks the feed for the address of a
 * zip, downloads it, compares its code signature with the running app's, and leaves the rest to
 * ShipIt, a process that replaces the app once it has exited, however it exits. Here
 * `launch.signature` says how the running app is signed, a zip counts as intact if it has an end
 * record, and "installed" is the zip in `launch.installFolder`. As in Electron, an unsigned app gets
 * an error from `setFeedURL`, and `checkForUpdates` then does nothing.
 */
class AutoUpdater extends StrictEmitter {
  #feed: { url: string; headers: Record<string, string> } | undefined;
  #zip: Buffer | undefined;

  constructor() {
    super('autoUpdater', ['error', 'update-downloaded']);
    process.on('exit', () => this.#install());
  }

  setFeedURL(feed: { url: string; headers: Record<string, string> }): void {
    this.#feed = launch.signature === 'none' ? undefined : feed;
    if (this.#feed === undefined) {
      this.emit('error', new Error('Could not get code signature for running application'));
    }
  }

  checkForUpdates(): void {
    this.#download().catch((error: Error) => this.emit('error', error));
  }

  async #download(): Promise<void> {
    if (this.#feed === undefined) return;
    const { url } = (await (await fetch(this.#feed.url, this.#feed)).json()) as { url: string };
    const zip = Buffer.from(await (await fetch(url)).bytes());
    if (!zip.includes(ZIP_END)) throw new Error('Could not extract archive');
    // The designated requirement of an ad hoc signature is its own hash, which no other build has.
    if (launch.signature === 'adhoc') {
      throw new Error(
        'Code signature at URL file:///update/ did not pass validation: code failed to satisfy specified code requirement(s)',
      );
    }
    this.#zip = zip;
    this.emit('update-downloaded');
  }

  /** What ShipIt does once the app has exited. */
  #install(): void {
    if (this.#zip === undefined) return;
    rmSync(launch.installFolder, { recursive: true, force: true });
    mkdirSync(launch.installFolder, { recursive: true });
    writeFileSync(join(launch.installFolder, 'update.zip'), this.#zip);
  }
}

export const autoUpdater = new AutoUpdater();
