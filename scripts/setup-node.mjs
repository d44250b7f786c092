import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { npmCi, pathOutsideNodeModules } from './setup-node-modules.mjs';
import { fingerprint, hashFiles, parseLastLine, readJson, writeStamp } from './setup-stamp.mjs';
import { SetupError, showProgress } from './setup-step.mjs';

const PROBE = 'JSON.stringify([process.versions.node, process.arch, process.features.typescript])';
/** Loads the whole service, including its TypeScript and native parts. */
const TRY_OUT = "await import('sharp'); await import('./server/service.ts')";
const PROBE_TIMEOUT_MS = 20_000;
const TRY_OUT_TIMEOUT_MS = 120_000;

/**
 * Refuses a machine that Sightglass cannot run on, before anything is downloaded.
 * @throws SetupError
 */
export function checkMachine({ platform, arch, isTranslated = readTranslated } = process) {
  if (platform === 'darwin' && arch === 'arm64') return;
  if (platform === 'linux' && arch === 'x64') return;
  if (platform === 'darwin' && isTranslated()) {
    throw new SetupError(
      'This Node.js is built for Intel and runs under Rosetta; Sightglass needs a native one. Install ' +
        'Node.js for arm64 (`/opt/homebrew/bin/brew install node`, or the installer from nodejs.org), ' +
        'and check that the terminal itself is not set to "Open using Rosetta". ' +
        '`node -p process.arch` should then print arm64.',
    );
  }
  throw new SetupError(
    'Sightglass runs on Macs with an M-series chip; its tests also run on Linux on x86_64. ' +
      `This is ${platform} on ${arch}, which MLX has no build for.`,
  );
}

/**
 * Refuses a folder whose programs cannot be found through PATH: Python makes no environment there.
 * @throws SetupError
 */
export function checkFolder(root) {
  if (!root.includes(path.delimiter)) return;
  const finder = process.platform === 'darwin' ? ' (the Finder shows it as “/”)' : '';
  throw new SetupError(
    `The path of this folder contains “${path.delimiter}”${finder}, which separates folders in PATH: ${root}\n` +
      'Rename or move the folder, then run this again.',
  );
}

/** True when `node_modules/.bin/node` is the Node.js that setup has verified. Reads files only. */
export function hasNode(root) {
  const stamp = readJson(stampPath(root));
  const current = fingerprint(linkPath(root));
  if (current === undefined || stamp?.node !== current) return false;
  return stamp.pinned === undefined || stamp.pinned === hashFiles([pinnedLockPath(root)]);
}

/**
 * Makes `node_modules/.bin/node` a Node.js that runs Sightglass: the installed one if it can, otherwise
 * the one that scripts/node/package-lock.json pins. The link is removed first and made last, because
 * every npm script, setup included, runs on it.
 * @throws SetupError
 */
export async function ensureNode(root, { execPath, env } = process) {
  if (hasNode(root)) return;
  rmSync(linkPath(root), { force: true });
  const attempts = [];
  for (const file of findNodes(root, { execPath, env })) {
    const problem = tryNode(root, file);
    if (problem === undefined) return useNode(root, file, {});
    attempts.push(`${file}: ${problem}`);
  }
  const folder = path.join(root, 'scripts/node');
  const { version, file, isInstalled } = readPinned(root);
  const pinned = path.join(folder, file);
  const lock = hashFiles([pinnedLockPath(root)]);
  if (!isInstalled || tryNode(root, pinned) !== undefined) {
    await npmCi(root, {
      folder,
      env,
      title: `Installing Node.js ${version} for this folder`,
      remedy: `Check the network connection, or install Node.js ${oldestNode(root)} or newer yourself, then run this again.`,
    });
  }
  const problem = tryNode(root, pinned);
  if (problem === undefined) return useNode(root, pinned, { pinned: lock });
  throw new SetupError(
    `No Node.js here can run Sightglass.\n${[...attempts, `${pinned}: ${problem}`].join('\n')}\n\n` +
      `Install Node.js ${oldestNode(root)} or newer (\`brew install node\`, or the installer from nodejs.org), then run this again.`,
  );
}

/** The oldest Node.js that the service runs on, as `engines` of package.json says, like `22.19`. */
export function oldestNode(root) {
  const { engines } = readJson(path.join(root, 'package.json'));
  return engines.node.replace('>=', '');
}

/**
 * Why a Node.js cannot run Sightglass, judging by what it reports; undefined when it can.
 * @param probe version, architecture and `process.features.typescript`
 */
export function findFault([version, arch, typescript], oldest) {
  const [major, minor] = version.split('.').map(Number);
  const [oldestMajor, oldestMinor] = oldest.split('.').map(Number);
  if (major < oldestMajor || (major === oldestMajor && minor < oldestMinor)) {
    return `version ${version} is older than ${oldest}`;
  }
  if (arch !== process.arch) return `it is built for ${arch}, this machine is ${process.arch}`;
  if (!typescript) return `version ${version} does not run TypeScript files`;
  return undefined;
}

function readTranslated() {
  const args = ['-in', 'sysctl.proc_translated'];
  const { stdout } = spawnSync('/usr/sbin/sysctl', args, { encoding: 'utf8' });
  return stdout?.trim() === '1';
}

function linkPath(root) {
  return path.join(root, 'node_modules/.bin/node');
}

function stampPath(root) {
  return path.join(root, 'node_modules/.sightglass-node.json');
}

function pinnedLockPath(root) {
  return path.join(root, 'scripts/node/package-lock.json');
}

/** The pinned version, where `npm ci` puts its binary, and whether it has finished doing so. */
function readPinned(root) {
  const { packages } = readJson(pinnedLockPath(root));
  const [name, { version, bin }] = Object.entries(packages).find(
    ([, { os, cpu }]) => os === process.platform && cpu === process.arch,
  );
  const hiddenLock = path.join(root, 'scripts/node/node_modules/.package-lock.json');
  const isInstalled = readJson(hiddenLock)?.packages[name]?.version === version;
  return { version, file: path.join(name, bin.node), isInstalled };
}

/** The Node.js that runs setup and the first one on PATH, unless they are inside this folder. */
function findNodes(root, { execPath, env }) {
  const onPath = pathOutsideNodeModules(root, env).map((folder) => path.join(folder, 'node'));
  const real = [execPath, onPath.find(existsSync)]
    .filter((file) => file !== undefined && existsSync(file))
    .map((file) => realpathSync(file));
  return [...new Set(real)].filter((file) => !file.startsWith(`${realpathSync(root)}${path.sep}`));
}

/**
 * Why a Node.js cannot run Sightglass; undefined when it can. Asks for its version and architecture
 * first, then lets it load the service.
 */
function tryNode(root, file) {
  const probe = spawnSync(file, ['-p', PROBE], { encoding: 'utf8', timeout: PROBE_TIMEOUT_MS });
  const reported = probe.status === 0 ? parseLastLine(probe.stdout) : undefined;
  if (!Array.isArray(reported)) return toProblem(probe);
  const fault = findFault(reported, oldestNode(root));
  if (fault !== undefined) return fault;
  const finish = showProgress(`Trying Node.js ${reported[0]}`);
  const tried = spawnSync(file, ['--input-type=module', '-e', TRY_OUT], {
    cwd: root,
    encoding: 'utf8',
    timeout: TRY_OUT_TIMEOUT_MS,
  });
  finish(tried.status === 0 ? 'done' : 'failed');
  return tried.status === 0 ? undefined : toProblem(tried);
}

function toProblem({ error, signal, stderr }) {
  const lines = stderr?.trim().split('\n').slice(0, 8).join('\n');
  return `it does not run (${error?.message ?? (lines || signal || 'no answer')})`;
}

function useNode(root, file, { pinned }) {
  // Relative for our own, so that the folder can be moved.
  const target = pinned === undefined ? file : path.relative(path.dirname(linkPath(root)), file);
  symlinkSync(target, linkPath(root));
  writeStamp(stampPath(root), { node: fingerprint(linkPath(root)), pinned });
}
