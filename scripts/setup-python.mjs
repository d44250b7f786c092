import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
  toPipEnvironment,
  toPythonEnvironment,
  toUvEnvironment,
} from './setup-python-settings.mjs';
import { parseLastLine } from './setup-stamp.mjs';
import { runStep, SetupError, setupFolder } from './setup-step.mjs';

/** Minor versions of Python 3 that the runtime's lock file supports, in order of preference. */
export const MINORS = [11, 12, 13];
/** Versions that can install uv, which then downloads a supported one. */
const OTHER_MINORS = [14, 15, 10, 9, 8];
const OLDEST_FOR_UV = 8;
/** The version that uv downloads if no supported one is installed. */
export const DOWNLOADED = '3.12';
/** MLX's wheels need macOS 14, whose kernel is Darwin 23. */
const OLDEST_MACOS = 14;
const OLDEST_DARWIN = 23;
const RANGE = `Python 3.${MINORS.at(0)} to 3.${MINORS.at(-1)}`;
const PROBE_TIMEOUT_MS = 20_000;
/** Options for pip and uv: verify every package's hash, and do not run package code. */
export const AS_LOCKED = ['--require-hashes', '--only-binary', ':all:'];

const PROBE = `
import json, os, platform, sys, sysconfig
try:
    from importlib.util import find_spec
except ImportError:
    find_spec = lambda name: None
base = getattr(sys, "_base_executable", None) or sys.executable
print(json.dumps({
    "path": base if os.path.exists(base) else sys.executable,
    "version": list(sys.version_info[:2]),
    "machine": platform.machine(),
    "standard": platform.python_implementation() == "CPython" and not sysconfig.get_config_var("Py_GIL_DISABLED"),
    "pip": find_spec("pip") is not None,
    "venv": find_spec("venv") is not None and find_spec("ensurepip") is not None,
}))`;

/**
 * Returns the path of a native Python that the runtime's lock file supports: an installed one, or one
 * that uv downloads into this folder.
 * @throws SetupError that says how to install Python
 */
export async function ensurePython(root, { env = process.env, disk = '/' } = {}) {
  checkMacos({ platform: process.platform, release: os.release() });
  const search = { env, disk, downloads: downloadFolder(root) };
  const choice = choosePython(search);
  if (choice.path !== undefined) return choice.path;
  let failure = '';
  try {
    await downloadPython(root, choice, env);
    const downloaded = choosePython(search);
    if (downloaded.path !== undefined) return downloaded.path;
    failure = 'uv reported success, but the Python it downloaded does not run on this machine.';
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    failure = error.message;
  }
  throw new SetupError(`${failure}\n\n${explain(choice)}`);
}

/**
 * Checks the Pythons in PATH and in the usual folders, in order of preference.
 * @param search `downloads` is where setup downloads Python, `disk` the root of the usual folders
 * @returns the `path` of the first usable one, and all Pythons `seen` before it
 */
export function choosePython(search) {
  const { env, arch = process.arch } = search;
  const machine = arch === 'x64' ? 'x86_64' : arch;
  const seen = [];
  for (const file of listPythons(search)) {
    const python = probe(file, env);
    if (python === undefined) continue;
    seen.push({ ...python, native: python.machine === machine });
    if (isUsable(seen.at(-1))) return { path: python.path, seen, machine };
  }
  return { path: undefined, seen, machine };
}

/**
 * Explains to the user why none of the Pythons that choosePython saw is usable, and what to do.
 */
export function explain({ seen, machine, platform = process.platform }) {
  const get =
    platform === 'darwin'
      ? `Install it with \`brew install python@${DOWNLOADED}\` or the installer from python.org`
      : 'Install it with `sudo apt install python3 python3-venv` or pyenv';
  const covered = seen.filter(isCovered);
  const incomplete = covered.find(({ native }) => native);
  if (incomplete !== undefined) {
    return `${incomplete.path} cannot create virtual environments. Install its venv module (\`sudo apt install python3-venv\`) or another ${RANGE}, then run this again.`;
  }
  const [foreign] = covered;
  if (foreign !== undefined) {
    return `${foreign.path} is not a native Python: it is built for ${foreign.machine}, but this machine is ${machine}. ${get}, or use a Conda environment for ${machine} (see *If setup fails* in docs/setup.md), then run this again.`;
  }
  const found = new Map(seen.map((python) => [path.dirname(python.path), describe(python)]));
  const others = found.size === 0 ? 'none' : `only ${[...found.values()].join(', ')}`;
  return `Sightglass needs ${RANGE}, but found ${others}. ${get}, then run this again.`;
}

/** @throws SetupError on a macOS version that MLX does not support */
export function checkMacos({ platform, release }) {
  if (platform !== 'darwin' || Number.parseInt(release, 10) >= OLDEST_DARWIN) return;
  throw new SetupError(
    `Sightglass needs macOS ${OLDEST_MACOS} or newer, because MLX does. Update macOS, then run this again.`,
  );
}

function isCovered({ version: [major, minor], standard }) {
  return standard && major === 3 && MINORS.includes(minor);
}

function isUsable(python) {
  return isCovered(python) && python.native && python.venv;
}

function describe({ path: file, version, standard }) {
  return `${version.join('.')}${standard ? '' : ' (not the standard build of CPython)'} at ${file}`;
}

/** All files that may be a Python, in order of preference. */
function listPythons({ env, downloads, platform = process.platform, disk = '/' }) {
  const onPath = (env.PATH ?? '').split(path.delimiter).filter((folder) => folder !== '');
  const folders = [...onPath, ...listUsualFolders({ env, downloads, platform, disk })];
  const names = [...MINORS.map((minor) => `python3.${minor}`), 'python3', 'python'];
  const others = OTHER_MINORS.map((minor) => `python3.${minor}`);
  const files = [...names, ...others].flatMap((name) =>
    folders.map((folder) => path.join(folder, name)),
  );
  // Without Xcode's command line tools, Apple's /usr/bin/python3 opens a dialog.
  const opensDialog = (file) => platform === 'darwin' && file.startsWith('/usr/bin/');
  return [...new Set(files)].filter((file) => !opensDialog(file) && existsSync(file));
}

/** Where Pythons that are not in PATH are installed: version managers, Homebrew, python.org, uv. */
function listUsualFolders({ env, downloads, platform, disk }) {
  const home = env.HOME ?? os.homedir();
  const data = env.XDG_DATA_HOME || path.join(home, '.local/share');
  const inVersions = [
    downloads,
    path.join(env.PYENV_ROOT || path.join(home, '.pyenv'), 'versions'),
    env.UV_PYTHON_INSTALL_DIR || path.join(data, 'uv/python'),
    path.join(env.ASDF_DATA_DIR || path.join(home, '.asdf'), 'installs/python'),
    path.join(env.MISE_DATA_DIR || path.join(data, 'mise'), 'installs/python'),
  ].flatMap(listVersions);
  const prefixes = [
    env.HOMEBREW_PREFIX,
    ...(platform === 'darwin' ? [path.join(disk, 'opt/homebrew')] : []),
  ];
  const homebrew = prefixes
    .filter((prefix) => prefix !== undefined && prefix !== '')
    .flatMap((prefix) => [
      path.join(prefix, 'bin'),
      ...[...MINORS, ...OTHER_MINORS].map((minor) =>
        path.join(prefix, `opt/python@3.${minor}/bin`),
      ),
    ]);
  if (platform !== 'darwin') return [...inVersions, ...homebrew];
  return [
    ...homebrew,
    ...[...MINORS, ...OTHER_MINORS]
      .map((minor) => `Library/Frameworks/Python.framework/Versions/3.${minor}/bin`)
      .map((folder) => path.join(disk, folder)),
    ...inVersions,
    ...['opt/local/bin', 'usr/local/bin', 'Library/Developer/CommandLineTools/usr/bin'].map(
      (folder) => path.join(disk, folder),
    ),
  ];
}

/** The `bin` folders of installed versions, newest first: `3.12.1/bin`, `cpython-3.12.7-…/bin`. */
function listVersions(folder) {
  const newestFirst = new Intl.Collator('en', { numeric: true });
  return namesIn(folder)
    .sort((a, b) => newestFirst.compare(b, a))
    .map((name) => path.join(folder, name, 'bin'));
}

/** The names in a folder; none if it does not exist or is not readable, like another user's. */
function namesIn(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function probe(file, env) {
  const { status, stdout } = spawnSync(file, ['-I', '-c', PROBE], {
    encoding: 'utf8',
    timeout: PROBE_TIMEOUT_MS,
    env: toPythonEnvironment(env),
  });
  const reported = status === 0 ? parseLastLine(stdout) : undefined;
  return Array.isArray(reported?.version) ? reported : undefined; // a shim may print other JSON
}

function downloadFolder(root) {
  return path.join(root, 'resources/runtime/.setup/python');
}

/** Downloads Python with the uv in PATH, or else with the pinned uv, which any native Python can install. */
async function downloadPython(root, { seen, machine }, env) {
  const onPath = (env.PATH ?? '')
    .split(path.delimiter)
    .map((folder) => path.join(folder, 'uv'))
    .find((file) => existsSync(file) && spawnSync(file, ['--version']).status === 0);
  const base = seen.find(
    ({ native, standard, version: [, minor], venv, pip }) =>
      native && standard && minor >= OLDEST_FOR_UV && (venv || pip),
  );
  if (onPath === undefined && base === undefined) {
    throw new SetupError(
      `Python cannot be downloaded: neither uv nor a native (${machine}) Python with pip is installed.`,
    );
  }
  const uv = onPath ?? (await installUv(root, base, env));
  await runStep(root, {
    title: `Downloading Python ${DOWNLOADED} into this folder`,
    command: uv,
    args: ['python', 'install', DOWNLOADED],
    env: {
      ...(base === undefined ? toPythonEnvironment(env) : toUvEnvironment(base.path, env)),
      UV_NO_CONFIG: '1',
      UV_PYTHON_INSTALL_DIR: downloadFolder(root),
      UV_PYTHON_INSTALL_BIN: '0',
    },
    remedy: 'uv downloads Python from GitHub. To use a mirror, set `UV_PYTHON_INSTALL_MIRROR`.',
  });
}

/** Installs the pinned uv in its own folder. MLX need not support the Python that installs it. */
async function installUv(root, base, env) {
  const folder = path.join(setupFolder(root), 'uv');
  const lock = path.join(root, 'resources/runtime/requirements-setup.txt');
  rmSync(folder, { recursive: true, force: true });
  if (base.venv) {
    await runStep(root, {
      title: 'Preparing to install uv',
      command: base.path,
      args: ['-I', '-m', 'venv', folder],
      env: toPythonEnvironment(env),
      remedy: 'Check that this Python installation is complete.',
    });
  }
  const python = base.venv ? path.join(folder, 'bin/python') : base.path;
  await runStep(root, {
    title: 'Installing uv',
    command: python,
    args: [
      '-I',
      '-m',
      'pip',
      'install',
      ...AS_LOCKED,
      ...(base.venv ? [] : ['--target', folder]),
      '-r',
      lock,
    ],
    env: toPipEnvironment(python, env),
    remedy: 'Check the network connection.',
  });
  return path.join(folder, 'bin/uv');
}
