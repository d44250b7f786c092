import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { findPython } from './setup-python.mjs';
import { hashFiles, readJson } from './setup-stamp.mjs';
import { runStep } from './setup-step.mjs';

/** For pip and for uv: what a lock names, by its hashes, and no code of a package is run for it. */
export const AS_LOCKED = ['--require-hashes', '--only-binary', ':all:'];

/** True when the runtime's virtual environment is what its locks say. */
export function hasRuntime(root, { dev }) {
  const paths = toPaths(root);
  const stamp = readJson(paths.stamp);
  return (
    stamp !== undefined &&
    stamp.locks === hashFiles(paths.locks) &&
    stamp.folder === paths.venv &&
    (stamp.dev || !dev) &&
    existsSync(paths.python)
  );
}

/**
 * Makes it so. The stamp is removed first and written last: an environment without one was left half
 * made, and is made anew.
 * @throws SetupError
 */
export async function ensureRuntime(root, { dev: wanted }) {
  if (hasRuntime(root, { dev: wanted })) return;
  const paths = toPaths(root);
  const stamp = readJson(paths.stamp);
  const dev = wanted || stamp?.dev === true;
  const whole = stamp?.folder === paths.venv && existsSync(paths.python);
  rmSync(paths.stamp, { force: true });
  if (!whole) await makeEnvironment(root, paths);
  await sync(root, paths, { dev });
  await tryOut(root, paths);
  const locks = hashFiles(paths.locks);
  writeFileSync(paths.stamp, JSON.stringify({ locks, folder: paths.venv, dev }));
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

async function makeEnvironment(root, { venv, python, lock }) {
  const base = findPython();
  rmSync(venv, { recursive: true, force: true, maxRetries: 5 });
  await runStep(root, {
    title: `Making a Python environment with ${base}`,
    command: base,
    args: ['-I', '-m', 'venv', venv],
    env: process.env,
    remedy:
      'Check that this Python is complete (on Debian and Ubuntu: `sudo apt install python3-venv`).',
  });
  await runStep(root, {
    title: 'Installing uv',
    command: python,
    args: ['-I', '-m', 'pip', 'install', ...AS_LOCKED, '-r', lock.setup],
    env: process.env,
    remedy: 'Check the network connection, then run this again.',
  });
}

async function sync(root, { python, uv, lock }, { dev }) {
  const locks = [lock.app, lock.setup, ...(dev ? [lock.dev] : [])];
  await runStep(root, {
    title: 'Installing the Python runtime, about 1 GB',
    command: uv,
    args: ['pip', 'sync', ...AS_LOCKED, '--python', python, ...locks],
    env: toUvEnvironment(python),
    remedy: 'Check the network connection and the free disk space, then run this again.',
  });
}

/** Imports it once: proves that it runs here, and leaves the bytecode that halves every later start. */
async function tryOut(root, { python, venv }) {
  await runStep(root, {
    title: 'Trying the Python runtime',
    command: python,
    args: ['-I', '-c', 'import mlx_vlm.server.app'],
    env: process.env,
    remedy: `Remove ${venv}, then run this again.`,
  });
}

/**
 * uv without the person's uv.toml, which has broken first installs elsewhere, but with the index and
 * the certificates that pip is told to use: uv does not read pip's settings.
 */
export function toUvEnvironment(python) {
  const { stdout } = spawnSync(python, ['-I', '-m', 'pip', 'config', 'list'], { encoding: 'utf8' });
  const setting = (name) => stdout?.match(new RegExp(`^[^=\\n]+\\.${name}='(.*)'$`, 'm'))?.[1];
  const env = { ...process.env, UV_NO_CONFIG: '1', UV_NO_PROGRESS: '1' };
  const index = setting('index-url');
  if (index !== undefined && env.UV_INDEX_URL === undefined) env.UV_DEFAULT_INDEX ??= index;
  const certificates = setting('cert');
  if (certificates !== undefined) env.SSL_CERT_FILE ??= certificates;
  return env;
}
