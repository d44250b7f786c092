import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { SetupError } from './setup-step.mjs';

const NAMES = ['python3.11', 'python3.12', 'python3.13', 'python3', 'python'];
const OLDEST = [3, 11];
/** The first version the runtime's lock does not cover. */
const TOO_NEW = [3, 14];
/** MLX's wheels ask for it. */
const OLDEST_MACOS = 14;

const PROBE = `
import importlib.util, json, platform, sys
print(json.dumps({
    "path": sys.executable,
    "version": list(sys.version_info[:2]),
    "machine": platform.machine(),
    "macos": platform.mac_ver()[0],
    "pip": importlib.util.find_spec("ensurepip") is not None,
}))`;

/**
 * The path of a native Python that the runtime's lock covers.
 * @throws SetupError that says how to get one
 */
export function findPython() {
  const machine = nativeMachine();
  const pythons = candidates()
    .map(probe)
    .filter((python) => python !== undefined);
  const fitting = pythons.filter(
    ({ version }) => compare(version, OLDEST) >= 0 && compare(version, TOO_NEW) < 0,
  );
  const native = fitting.filter((python) => python.machine === machine);
  const usable = native.find((python) => python.pip);
  if (usable === undefined) throw new SetupError(explain({ pythons, fitting, native, machine }));
  if (usable.macos !== '' && Number.parseInt(usable.macos, 10) < OLDEST_MACOS) {
    throw new SetupError(
      `MLX needs macOS ${OLDEST_MACOS} or later; this Mac runs ${usable.macos}.`,
    );
  }
  return usable.path;
}

/** What `platform.machine()` of a native Python says here. Node itself may run under Rosetta. */
function nativeMachine() {
  if (process.platform === 'linux' && process.arch === 'x64') return 'x86_64';
  if (process.platform === 'darwin') {
    const { stdout } = spawnSync('/usr/sbin/sysctl', ['-n', 'hw.optional.arm64'], {
      encoding: 'utf8',
    });
    if (stdout?.trim() === '1') return 'arm64';
  }
  throw new SetupError(
    'Sightglass runs on Macs with an M-series chip; its tests also run on Linux on x86_64. ' +
      `This is ${process.platform} on ${process.arch}, which MLX has no build for.`,
  );
}

function candidates() {
  const folders = (process.env.PATH ?? '').split(path.delimiter);
  if (process.platform === 'darwin') {
    folders.push('/opt/homebrew/bin');
    for (const minor of [11, 12, 13]) {
      folders.push(`/Library/Frameworks/Python.framework/Versions/3.${minor}/bin`);
    }
  }
  const found = NAMES.flatMap((name) => folders.map((folder) => path.join(folder, name)));
  // Apple's /usr/bin/python3 is 3.9, and without Xcode it opens a dialog.
  const apples = (file) => process.platform === 'darwin' && file.startsWith('/usr/bin/');
  return [...new Set(found)].filter((file) => existsSync(file) && !apples(file));
}

function probe(file) {
  const { status, stdout } = spawnSync(file, ['-I', '-c', PROBE], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  if (status !== 0) return undefined;
  return JSON.parse(stdout);
}

function compare([major, minor], [otherMajor, otherMinor]) {
  return major - otherMajor || minor - otherMinor;
}

function explain({ pythons, fitting, native, machine }) {
  const get =
    process.platform === 'darwin'
      ? '`brew install python@3.11`, or the installer of python.org'
      : '`sudo apt install python3 python3-venv`, or pyenv';
  if (native.length > 0) {
    return `${native[0].path} cannot make virtual environments. Install that part of it (\`sudo apt install python3-venv\`), or another Python 3.11 to 3.13: ${get}.`;
  }
  if (fitting.length > 0) {
    const [{ path: found, machine: wrong }] = fitting;
    return `You are using a non-native Python: ${found} is built for ${wrong}, this machine is ${machine}. Switch to a native Python version: ${get}, or Conda with an ${machine} environment (see README, Troubleshooting).`;
  }
  const found = pythons.map(({ path: file, version }) => `${file} is ${version.join('.')}`);
  const seen = found.length === 0 ? '' : ` (${found.join(', ')})`;
  return `Sightglass needs Python 3.11 to 3.13 and found none${seen}. Get it with ${get}, then run this again.`;
}
