import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { hashFiles, readJson, writeStamp } from './setup-stamp.mjs';
import { runStep, SetupError } from './setup-step.mjs';

/** The oldest Node.js that setup itself runs on; older ones come with an npm that we don't test. */
export const OLDEST_SETUP_NODE = 20;

/**
 * Makes `npm ci`, regardless of the user's configuration, install everything in the lock into this
 * folder, with links, and run no package's script. None of our packages needs one, and npm 12 blocks
 * them. Registries, proxies and certificates stay as configured.
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
  // The app runs on a newer Node.js than setup may be running on.
  '--no-engine-strict',
  `--os=${process.platform}`,
  `--cpu=${process.arch}`,
  '--no-audit',
  '--no-fund',
  '--loglevel=warn', // shows FILE_NOT_WRITTEN
];

/** A file of a package that npm could not write, on a full disk say: only a warning to it. */
const FILE_NOT_WRITTEN = /\bTAR_ENTRY_ERROR\b/;

const REMEDY = 'Check the network connection and the free disk space, then run this again.';

/** True when node_modules matches package-lock.json. Reads files only. */
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
 * Runs `npm ci` unless node_modules matches the lock, as it does after an `npm install` by hand.
 * @throws SetupError
 */
export async function ensureNodeModules(root, { env } = process) {
  if (hasNodeModules(root)) return;
  if (!isInstalled(root)) {
    const title = 'Installing the packages of package-lock.json';
    await npmCi(root, { folder: root, title, env });
  }
  if (!isInstalled(root)) {
    throw new SetupError(
      'npm reported success but did not install every package of package-lock.json. Check your npm ' +
        'configuration (`npm config list`), remove node_modules, then run this again.',
    );
  }
  writeStamp(stampPath(root), {
    lock: hashFiles([path.join(root, 'package-lock.json')]),
    installed: hashFiles([hiddenLockPath(root)]),
  });
}

/** Installs the packages of the lock file in `folder`, after removing what is there. */
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
    rmSync(hiddenLock, { force: true }); // it says that everything is there
    throw error;
  }
}

/** The folders of PATH without those inside node_modules, which npm puts there for its scripts. */
export function pathOutsideNodeModules(root, env = process.env) {
  const inside = path.join(root, 'node_modules');
  return (env.PATH ?? '')
    .split(path.delimiter)
    .filter((folder) => folder !== '' && !folder.startsWith(inside));
}

function stampPath(root) {
  return path.join(root, 'node_modules/.sightglass-setup.json');
}

/** npm writes here what it has installed, as its last step. */
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
 * Optional packages are native parts, each for one platform. setup-node.mjs checks those that also depend
 * on the C library, by loading the service.
 */
function isForThisMachine({ optional, os, cpu, libc }) {
  if (optional !== true) return true;
  return libc === undefined && os?.includes(process.platform) && cpu?.includes(process.arch);
}

function everyPackageExists(root) {
  const installed = readJson(hiddenLockPath(root))?.packages ?? {};
  return Object.keys(installed).every((name) => existsSync(path.join(root, name, 'package.json')));
}

/** `npm ci` removes node_modules, and with it the Node.js that an npm script may be running on. */
function environmentForNpm(root, { NODE_ENV: _, ...env }) {
  return { ...env, PATH: pathOutsideNodeModules(root, env).join(path.delimiter) };
}
