import { existsSync, lstatSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { logDirectory } from '../log.ts';
import { hubCache } from '../models/places.ts';
import { toSize } from '../size.ts';

import { type Finding, failed, ok, skipped } from './check.ts';
import type { Machine } from './machine.ts';

/** The oldest macOS that MLX supports. */
const OLDEST_MACOS = 14;
/** As in `engines` of package.json. */
export const OLDEST_NODE = [22, 20] as const;
/** With less memory, macOS and the app leave hardly any for a model. */
const LEAST_MEMORY_BYTES = 8e9;
/** About the size of the smallest suggested models. */
const LEAST_MODEL_DISK_BYTES = 2e9;
const LEAST_WORKING_DISK_BYTES = 200e6;
/** The maximum length of a socket's path. The runtime's socket is in the temporary folder. */
const LONGEST_SOCKET_PATH = 103;
const SOCKET_IN_TEMPORARY_FOLDER = 'sightglass-XXXXXX/runtime.sock';

const APPLE_ONLY = 'Use a Mac with an M-series chip; MLX supports no other.';

export async function checkChip(machine: Machine): Promise<Finding> {
  if (machine.platform === 'linux') {
    const name = `Linux on ${machine.arch}`;
    return machine.arch === 'x64'
      ? ok(`${name}, without a GPU: for development and testing only`)
      : failed(name, APPLE_ONLY);
  }
  if (machine.platform !== 'darwin') return failed(machine.platform, APPLE_ONLY);
  const name = await sysctl(machine, 'machdep.cpu.brand_string');
  const isApple = (await sysctl(machine, 'hw.optional.arm64')) === '1';
  return isApple ? ok(name) : failed(name || 'Intel', APPLE_ONLY);
}

export async function checkMacOs(machine: Machine): Promise<Finding> {
  if (machine.platform !== 'darwin') return skipped('not a Mac');
  const { output } = await machine.run('/usr/bin/sw_vers', ['-productVersion']);
  const version = output.trim();
  return Number.parseInt(version, 10) >= OLDEST_MACOS
    ? ok(version)
    : failed(version || 'unknown', `Update to macOS ${OLDEST_MACOS} or later.`);
}

export async function checkRosetta(machine: Machine): Promise<Finding> {
  if (machine.platform !== 'darwin') return skipped('not a Mac');
  if ((await sysctl(machine, 'sysctl.proc_translated')) !== '1') return ok('not in use');
  return failed(
    `this ${machine.arch} Node runs under Rosetta`,
    'Install an arm64 Node (`brew install node`, or the installer of nodejs.org) and remove ' +
      'node_modules. If Terminal opens with Rosetta, clear that in its Get Info window.',
  );
}

export function checkMemory({ memoryBytes }: Machine, workingSetBytes = 0): Finding {
  const forModels = workingSetBytes > 0 ? `, ${toSize(workingSetBytes)} of it for the GPU` : '';
  const found = `${toSize(memoryBytes)}${forModels}`;
  return memoryBytes >= LEAST_MEMORY_BYTES
    ? ok(found)
    : failed(found, 'Expect only the smallest models to fit: see `sightglass models suggest`.');
}

export async function checkNode({ nodeVersion, electronVersion }: Machine): Promise<Finding> {
  const [major = 0, minor = 0] = nodeVersion.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_NODE;
  const isNew = major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
  const inside = electronVersion === undefined ? '' : ` in Electron ${electronVersion}`;
  const remedy = `Use Node ${OLDEST_NODE.join('.')} or later; \`npm start\` downloads it.`;
  return isNew ? ok(nodeVersion + inside) : failed(nodeVersion + inside, remedy);
}

/** Checks the free disk space for a model and for the files that a running service writes. */
export async function checkDisk(machine: Machine): Promise<Finding> {
  const models = hubCache(machine.env, machine.home);
  const places = [
    { what: 'models', folder: models, least: LEAST_MODEL_DISK_BYTES, setBy: 'HF_HOME' },
    {
      what: 'logs',
      folder: logDirectory(machine),
      least: LEAST_WORKING_DISK_BYTES,
      setBy: machine.platform === 'darwin' ? 'HOME' : 'XDG_STATE_HOME',
    },
    {
      what: 'temporary files',
      folder: machine.temporaryFolder,
      least: LEAST_WORKING_DISK_BYTES,
      setBy: 'TMPDIR',
    },
  ];
  const found: string[] = [];
  for (const { what, folder, least, setBy } of places) {
    const { existing, broken } = nearestFolder(folder);
    const isTemporary = what === 'temporary files';
    // The other folders are created when needed.
    const missing = broken ?? (isTemporary && existing !== folder ? folder : undefined);
    if (missing !== undefined) {
      return failed(
        `the folder for ${what}, ${folder}, cannot be used: ${missing} does not exist`,
        `Connect its disk, or set ${setBy} to a folder that exists.`,
      );
    }
    if (!(await machine.isWritable(existing))) {
      if (existing === folder) {
        return failed(
          `${existing} cannot be written to`,
          `Give yourself write access to ${existing}.`,
        );
      }
      return failed(
        `${folder} does not exist and cannot be created: ${existing} cannot be written to`,
        `Connect its disk, or set ${setBy} to a folder that you can write to.`,
      );
    }
    const free = await machine.freeDiskBytes(existing);
    if (free < least) {
      return failed(
        `${toSize(free)} free for ${what} in ${existing}`,
        `Free at least ${toSize(least)} there${what === 'models' ? ', or set HF_HOME to another disk' : ''}.`,
      );
    }
    found.push(`${toSize(free)} free for ${what}`);
  }
  const socket = Buffer.byteLength(join(machine.temporaryFolder, SOCKET_IN_TEMPORARY_FOLDER));
  if (socket > LONGEST_SOCKET_PATH) {
    return failed(
      `the path of the temporary folder is ${socket - LONGEST_SOCKET_PATH} bytes too long for a socket: ${machine.temporaryFolder}`,
      'Set TMPDIR to a folder with a shorter path, such as /tmp.',
    );
  }
  return ok(found.join(', '));
}

/**
 * The folder, or its closest parent that exists. `broken` is a dangling link in the path, for example to a
 * disk that is not connected: nothing can be created below it.
 */
function nearestFolder(folder: string): { existing: string; broken?: string } {
  const parent = dirname(folder);
  if (existsSync(folder) || parent === folder) return { existing: folder };
  const isLink = lstatSync(folder, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  return isLink ? { existing: parent, broken: folder } : nearestFolder(parent);
}

async function sysctl(machine: Machine, name: string): Promise<string> {
  const { exitCode, output } = await machine.run('/usr/sbin/sysctl', ['-n', name]);
  return exitCode === 0 ? output.trim() : ''; // an unknown name, as on an older macOS
}
