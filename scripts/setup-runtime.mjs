import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import path from 'node:path';
import { AS_LOCKED, ensurePython } from './setup-python.mjs';
import {
  toPipEnvironment,
  toPythonEnvironment,
  toUvEnvironment,
} from './setup-python-settings.mjs';
import { fingerprint, hashFiles, readJson, writeStamp } from './setup-stamp.mjs';
import { runStep } from './setup-step.mjs';

/** Returns true if the runtime's virtual environment matches its lock files. Only reads files. */
export function hasRuntime(root, { dev }) {
  const paths = toPaths(root);
  const stamp = readJson(paths.stamp);
  return isUnchanged(stamp, paths) && stamp.locks === hashFiles(paths.locks) && (stamp.dev || !dev);
}

/**
 * Creates or updates the environment. The stamp is removed first and written last, so an environment
 * without a stamp was interrupted and is rebuilt.
 * @throws SetupError
 */
export async function ensureRuntime(root, { dev: wanted, env = process.env, disk }) {
  if (hasRuntime(root, { dev: wanted })) return;
  const paths = { ...toPaths(root), env, disk };
  const stamp = readJson(paths.stamp);
  const dev = wanted || stamp?.dev === true;
  const isUsable = isComplete(stamp, paths) && canImportMlx(paths);
  rmSync(paths.stamp, { force: true });
  if (!isUsable) await createEnvironment(root, paths);
  await sync(root, paths, { dev });
  await checkImport(root, paths);
  writeStamp(paths.stamp, {
    locks: hashFiles(paths.locks),
    folder: paths.venv,
    dev,
    python: identify(paths.python),
    packages: listPackages(paths.venv),
  });
}

function toPaths(root) {
  const folder = path.join(root, 'resources/runtime');
  const venv = path.join(folder, '.venv');
  const [app, setup, dev] = ['', '-setup', '-dev'].map((name) =>
    path.join(folder, `requirements${name}.txt`),
  );
  return {
    venv,
    python: path.join(venv, 'bin/python'),
    uv: path.join(venv, 'bin/uv'),
    stamp: path.join(venv, 'sightglass-setup.json'),
    locks: [app, setup, dev],
    lock: { app, setup, dev },
  };
}

/** True if the environment is complete and still uses the Python that it was created with. */
function isUnchanged(stamp, paths) {
  const current = identify(paths.python);
  return current !== undefined && stamp?.python === current && isComplete(stamp, paths);
}

/** True if setup completed the environment in this folder and no package is missing. */
function isComplete(stamp, { venv, uv }) {
  if (stamp?.folder !== venv || !Array.isArray(stamp.packages) || !existsSync(uv)) return false;
  const packages = new Set(listPackages(venv));
  return stamp.packages.every((name) => packages.has(name));
}

/** False if the base Python has been removed or replaced by another version. */
function canImportMlx({ python, env }) {
  return (
    spawnSync(python, ['-I', '-c', 'import mlx.core'], { env: toPythonEnvironment(env) }).status ===
    0
  );
}

/** Identifies the environment's base Python without running it; changes when Python is upgraded. */
function identify(python) {
  const current = fingerprint(python);
  return current === undefined ? undefined : `${realpathSync(python)} ${current}`;
}

/** The entries of site-packages: modules and their metadata. */
function listPackages(venv) {
  const library = path.join(venv, 'lib');
  if (!existsSync(library)) return [];
  return readdirSync(library).flatMap((version) => {
    const folder = path.join(library, version, 'site-packages');
    return existsSync(folder) ? readdirSync(folder) : [];
  });
}

async function createEnvironment(root, { venv, python, lock, env, disk }) {
  const base = await ensurePython(root, { env, disk });
  rmSync(venv, { recursive: true, force: true, maxRetries: 5 });
  await runStep(root, {
    title: `Creating a Python environment with ${base}`,
    command: base,
    args: ['-I', '-m', 'venv', venv],
    env: toPythonEnvironment(env),
    remedy:
      'Check that this Python installation is complete (on Debian and Ubuntu: `sudo apt install python3-venv`), then run this again.',
  });
  await runStep(root, {
    title: 'Installing uv',
    command: python,
    args: ['-I', '-m', 'pip', 'install', ...AS_LOCKED, '-r', lock.setup],
    env: toPipEnvironment(python, env),
    remedy: 'Check the network connection, then run this again.',
  });
}

async function sync(root, { python, uv, lock, env }, { dev }) {
  const locks = [lock.app, lock.setup, ...(dev ? [lock.dev] : [])];
  await runStep(root, {
    title: 'Installing the Python runtime (about 400 MB)',
    command: uv,
    args: ['pip', 'sync', ...AS_LOCKED, '--python', python, ...locks],
    env: toUvEnvironment(python, env),
    remedy: 'Check the network connection and the free disk space, then run this again.',
  });
}

/** Imports the server once, to check that it loads and to write the bytecode that halves start-up time. */
async function checkImport(root, { python, env }) {
  await runStep(root, {
    title: 'Checking the Python runtime',
    command: python,
    args: ['-I', '-c', 'import mlx_vlm.server.app'],
    env: toPythonEnvironment(env),
    remedy:
      'Run this again to rebuild it. If that fails too, please report the problem and attach the log.',
  });
}
