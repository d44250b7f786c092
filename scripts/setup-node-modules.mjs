import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { hashFiles, readJson, writeStamp } from './setup-stamp.mjs';
import { runStep, SetupError } from './setup-step.mjs';

/** The oldest Node.js major version that setup supports. Older ones come with an untested npm. */
export const OLDEST_SETUP_NODE = 20;

/**
 * Options that override the user's npm configuration: install every package in the lock file into this
 * folder, link the executables, and run no install scripts. Our packages don't need install scripts, and
 * npm 12 blocks them. Registries, proxies and certificates stay as configured.
 */
const NPM_CI = [
  'ci',
  '--include=prod',
  '--include=dev',
  '--include=optional',
  '--include=peer',
  '--ignore-scripts',
  '--bin-links',
  '--install-strategy=hoisted',
  '--no-dry-run',
  '--no-global',
  '--location=project',
  '--no-workspaces',
  '--no-legacy-peer-deps',
  '--no-strict-peer-deps',
  // Sightglass may run on a newer Node.js than setup does.
  '--no-engine-strict',
  `--os=${process.platform}`,
  `--cpu=${process.arch}`,
  '--no-audit',
  '--no-fund',
  '--loglevel=warn', // for FILE_NOT_WRITTEN
];

/** npm only prints a warning when it cannot write a file, for example because the disk is full. */
const FILE_NOT_WRITTEN = /\bTAR_ENTRY_ERROR\b/;

const REMEDY = 'Check the network connection and the free disk space, then run this again.';

/** Returns true if node_modules matches package-lock.json. Only reads files. */
export function hasNodeModules(root) {
  const stamp = readJson(stampPath(root));
  return (
    stamp?.lock === hashFiles([path.join(root, 'package-lock.json')]) &&
    existsSync(hiddenLockPath(root)) &&
    stamp.installed === hashFiles([hiddenLockPath(root)]) &&
    everyPackageExists(root)
  );
}

/**
 * Runs `npm ci` unless node_modules already matches the lock file, for example after a manual
 * `npm install`.
 * @throws SetupError
 */
export async function ensureNodeModules(root, { env } = process) {
  if (hasNodeModules(root)) return;
  if (!isInstalled(root)) {
    const title = 'Installing the npm packages';
    await npmCi(root, { folder: root, title, env });
  }
  if (!isInstalled(root)) {
    throw new SetupError(
      'npm reported success but did not install every package in package-lock.json. Check your npm ' +
        'configuration (`npm config list`), remove node_modules, then run this again.',
    );
  }
  writeStamp(stampPath(root), {
    lock: hashFiles([path.join(root, 'package-lock.json')]),
    installed: hashFiles([hiddenLockPath(root)]),
  });
}

/** Runs `npm ci` in `folder`, which replaces its node_modules. */
export async function npmCi(root, { folder, title, remedy = REMEDY, env: own = process.env }) {
  const env = environmentForNpm(root, own);
  const hasNpm = env.PATH.split(path.delimiter).some((dir) => existsSync(path.join(dir, 'npm')));
  if (!hasNpm || Number.parseInt(process.versions.node, 10) < OLDEST_SETUP_NODE) {
    throw new SetupError(
      `Setup needs npm and Node.js ${OLDEST_SETUP_NODE} or newer. Install them (\`brew install node\`, the installer ` +
        'from nodejs.org, or your distribution), then run this again.',
    );
  }
  const hiddenLock = path.join(folder, 'node_modules/.package-lock.json');
  rmSync(hiddenLock, { force: true });
  try {
    await runStep(root, {
      title,
      command: 'npm',
      args: [...NPM_CI, '--prefix', folder],
      env,
      cwd: folder,
      remedy,
      failure: FILE_NOT_WRITTEN,
    });
  } catch (error) {
    rmSync(hiddenLock, { force: true }); // it would claim that every package is installed
    throw error;
  }
}

/** The folders in PATH, without those inside node_modules that npm adds when it runs a script. */
export function pathOutsideNodeModules(root, env = process.env) {
  const inside = path.join(root, 'node_modules');
  return (env.PATH ?? '')
    .split(path.delimiter)
    .filter((folder) => folder !== '' && !folder.startsWith(inside));
}

function stampPath(root) {
  return path.join(root, 'node_modules/.sightglass-setup.json');
}

/** npm's record of what it has installed, which it writes last. */
function hiddenLockPath(root) {
  return path.join(root, 'node_modules/.package-lock.json');
}

function isInstalled(root) {
  const wanted = readJson(path.join(root, 'package-lock.json'))?.packages ?? {};
  const installed = readJson(hiddenLockPath(root))?.packages;
  if (installed === undefined || !existsSync(path.join(root, 'node_modules/.bin'))) return false;
  return (
    Object.entries(wanted).every(
      ([name, entry]) =>
        name === '' || !isForThisMachine(entry) || installed[name]?.version === entry.version,
    ) && everyPackageExists(root)
  );
}

/**
 * Optional packages are native binaries for one platform each. Those that also depend on the C library
 * are checked by setup-node.mjs, which loads the service.
 */
function isForThisMachine({ optional, os, cpu, libc }) {
  if (optional !== true) return true;
  return libc === undefined && os?.includes(process.platform) && cpu?.includes(process.arch);
}

function everyPackageExists(root) {
  const installed = readJson(hiddenLockPath(root))?.packages ?? {};
  return Object.keys(installed).every((name) => existsSync(path.join(root, name, 'package.json')));
}

/** Keeps npm off the Node.js in node_modules, which `npm ci` removes. */
function environmentForNpm(root, { NODE_ENV: _, ...env }) {
  return { ...env, PATH: pathOutsideNodeModules(root, env).join(path.delimiter) };
}
