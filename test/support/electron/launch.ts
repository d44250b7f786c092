import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { dirname } from 'node:path';

/** How an app is launched: the test writes it, the app's process reads it. */
export interface Launch {
  /** The app's entry file. */
  main: string;
  /** Where the app may write. */
  folder: string;
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
  /** False if another instance holds the lock. */
  isFirstInstance: boolean;
}

export const LAUNCH_VARIABLE = 'SIGHTGLASS_STAND_IN';

/** How this process was launched. */
export const launch: Launch = JSON.parse(process.env[LAUNCH_VARIABLE] ?? '{}');

/** The folder, name and version of the app, from its package.json. */
export function readPackage(): { folder: string; name: string; version: string } {
  const file = findPackageJSON('.', launch.main);
  if (file === undefined) throw new Error(`${launch.main} belongs to no package.`);
  const { name, version } = JSON.parse(readFileSync(file, 'utf8'));
  return { folder: dirname(file), name, version };
}
