import { mkdtempSync, readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** How an app is started; the test writes it, the app's process reads it. */
export interface Launch {
  /** The app's entry file. */
  main: string;
  /** For everything it writes, the browser's profile included. */
  folder: string;
  userData: string;
  isPackaged: boolean;
  /** The command line, after the name of the app. */
  args: string[];
  /**
   * Whether the app sees an Apple silicon Mac once it is ready. Not while its modules load, because
   * native ones need the real platform.
   */
  isOnMac: boolean;
  /** `process.resourcesPath`; undefined as under Node. */
  resourcesPath?: string;
  /** How the running app is signed: by a developer, for this Mac only, or not at all. */
  signature: 'identity' | 'adhoc' | 'none';
  /** Where an update is installed once the app has exited. */
  installFolder: string;
  /** Whether macOS opened the app at login. */
  wasOpenedAtLogin: boolean;
  /** Whether the user allows the app to use the keychain. */
  isKeychainOpen: boolean;
  /** False when another instance holds the lock. */
  isFirstInstance: boolean;
  isDark: boolean;
}

export const LAUNCH_VARIABLE = 'SIGHTGLASS_STAND_IN';

/** How this process was started, with defaults for one that was started by hand. */
export function readLaunch(): Launch {
  const given: Partial<Launch> = JSON.parse(process.env[LAUNCH_VARIABLE] ?? '{}');
  const folder = given.folder ?? mkdtempSync(join(tmpdir(), 'sightglass-app-'));
  return {
    main: process.argv[1] ?? process.cwd(),
    userData: join(folder, 'user-data'),
    isPackaged: false,
    args: [],
    isOnMac: false,
    signature: 'identity',
    installFolder: join(folder, 'installed'),
    wasOpenedAtLogin: false,
    isKeychainOpen: true,
    isFirstInstance: true,
    isDark: false,
    ...given,
    folder,
  };
}

/** The folder and the package.json of an app, found from its entry file. */
export function readPackage(main: string): { folder: string; name: string; version: string } {
  const file = findPackageJSON('.', main);
  if (file === undefined) throw new Error(`${main} belongs to no package.`);
  const { productName, name, version } = JSON.parse(readFileSync(file, 'utf8'));
  return { folder: dirname(file), name: productName ?? name, version };
}
