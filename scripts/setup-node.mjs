import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { npmCi, pathOutsideNodeModules } from './setup-node-modules.mjs';
import { fingerprint, hashFiles, parseLastLine, readJson, writeStamp } from './setup-stamp.mjs';
import { SetupError, showProgress } from './setup-step.mjs';

const PROBE = 'JSON.stringify([process.versions.node, process.arch, process.features.typescript])';
/** Loads the whole service, including its TypeScript and native parts. */
const LOAD_SERVICE = "await import('sharp'); await import('./server/service.ts')";
const PROBE_TIMEOUT_MS = 20_000;
const LOAD_TIMEOUT_MS = 120_000;

/**
 * Rejects machines that cannot run Sightglass, before anything is downloaded.
 * @throws SetupError
 */
export function checkMachine({ platform, arch, isTranslated = runsUnderRosetta } = process) {
  if (platform === 'darwin' && arch === 'arm64') return;
  if (platform === 'linux' && arch === 'x64') return;
  if (platform === 'darwin' && isTranslated()) {
    throw new SetupError(
      'This Node.js is built for Intel and runs under Rosetta, but Sightglass needs a native one. Install ' +
        'Node.js for arm64 (`/opt/homebrew/bin/brew install node`, or the installer from nodejs.org), ' +
        'and make sure that your terminal app is not set to "Open using Rosetta". ' +
        '`node -p process.arch` should then print arm64.',
    );
  }
  throw new SetupError(
    'Sightglass runs on Macs with an M-series chip and, for development, on Linux (x86_64). ' +
      `This is ${platform} on ${arch}, which MLX does not support.`,
  );
}

/**
 * Rejects a folder that cannot be in PATH: Python does not create virtual environments there.
 * @throws SetupError
 */
export function checkFolder(root) {
  if (!root.includes(path.delimiter)) return;
  const finder = process.platform === 'darwin' ? ' (shown as “/” in Finder)' : '';
  throw new SetupError(
    `Sightglass cannot run in ${root}: the path contains “${path.delimiter}”${finder}, the separator in PATH.\n` +
      'Rename or move the folder, then run this again.',
  );
}

/** Returns true if `node_modules/.bin/node` is the Node.js that setup has checked. Only reads files. */
export function hasNode(root) {
  const stamp = readJson(stampPath(root));
  const current = fingerprint(linkPath(root));
  if (current === undefined || stamp?.node !== current) return false;
  return stamp.pinned === undefined || stamp.pinned === hashFiles([pinnedLockPath(root)]);
}

/**
 * Links `node_modules/.bin/node` to a Node.js that can run Sightglass: an installed one if possible,
 * otherwise the version pinned in scripts/node/package-lock.json. The link is removed first and created
 * last, because every npm script, including setup, would use it.
 * @throws SetupError
 */
export async function ensureNode(root, { execPath, env } = process) {
  if (hasNode(root)) return;
  rmSync(linkPath(root), { force: true });
  const attempts = [];
  for (const file of findNodes(root, { execPath, env })) {
    const problem = checkNode(root, file);
    if (problem === undefined) return useNode(root, file, {});
    attempts.push(`${file}: ${problem}`);
  }
  const folder = path.join(root, 'scripts/node');
  const { version, file, isInstalled } = readPinned(root);
  const pinned = path.join(folder, file);
  const lock = hashFiles([pinnedLockPath(root)]);
  if (!isInstalled || checkNode(root, pinned) !== undefined) {
    await npmCi(root, {
      folder,
      env,
      title: `Installing Node.js ${version} in this folder`,
      remedy: `Check the network connection or install Node.js ${oldestNode(root)} or newer yourself, then run this again.`,
    });
  }
  const problem = checkNode(root, pinned);
  if (problem === undefined) return useNode(root, pinned, { pinned: lock });
  throw new SetupError(
    `None of these Node.js installations can run Sightglass:\n${[...attempts, `${pinned}: ${problem}`].join('\n')}\n\n` +
      `Install Node.js ${oldestNode(root)} or newer (\`brew install node\`, or the installer from nodejs.org), then run this again.`,
  );
}

/** The oldest Node.js version that can run the service, from `engines` in package.json, like `22.19`. */
function oldestNode(root) {
  const { engines } = readJson(path.join(root, 'package.json'));
  return engines.node.replace('>=', '');
}

/**
 * Returns why a Node.js cannot run Sightglass, based on what PROBE printed; undefined if it can.
 * @param probe version, architecture and `process.features.typescript`
 */
export function findFault([version, arch, typescript], oldest) {
  const [major, minor] = version.split('.').map(Number);
  const [oldestMajor, oldestMinor] = oldest.split('.').map(Number);
  if (major < oldestMajor || (major === oldestMajor && minor < oldestMinor)) {
    return `version ${version} is older than ${oldest}`;
  }
  if (arch !== process.arch) return `it is built for ${arch}, but this machine is ${process.arch}`;
  if (!typescript) return `version ${version} cannot run TypeScript files`;
  return undefined;
}

function runsUnderRosetta() {
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

/** The pinned version, the path of its binary below scripts/node, and whether it is installed. */
function readPinned(root) {
  const { packages } = readJson(pinnedLockPath(root));
  const [name, { version, bin }] = Object.entries(packages).find(
    ([, { os, cpu }]) => os === process.platform && cpu === process.arch,
  );
  const hiddenLock = path.join(root, 'scripts/node/node_modules/.package-lock.json');
  const isInstalled = readJson(hiddenLock)?.packages[name]?.version === version;
  return { version, file: path.join(name, bin.node), isInstalled };
}

/** The Node.js that runs setup and the first one in PATH, unless they are inside this folder. */
function findNodes(root, { execPath, env }) {
  const onPath = pathOutsideNodeModules(root, env).map((folder) => path.join(folder, 'node'));
  const real = [execPath, onPath.find(existsSync)]
    .filter((file) => file !== undefined && existsSync(file))
    .map((file) => realpathSync(file));
  return [...new Set(real)].filter((file) => !file.startsWith(`${realpathSync(root)}${path.sep}`));
}

/**
 * Returns why a Node.js cannot run Sightglass; undefined if it can. Reads its version and architecture
 * first, then loads the service with it.
 */
function checkNode(root, file) {
  const probe = spawnSync(file, ['-p', PROBE], { encoding: 'utf8', timeout: PROBE_TIMEOUT_MS });
  const reported = probe.status === 0 ? parseLastLine(probe.stdout) : undefined;
  if (!Array.isArray(reported)) return toProblem(probe);
  const fault = findFault(reported, oldestNode(root));
  if (fault !== undefined) return fault;
  const finish = showProgress(`Checking Node.js ${reported[0]}`);
  const load = spawnSync(file, ['--input-type=module', '-e', LOAD_SERVICE], {
    cwd: root,
    encoding: 'utf8',
    timeout: LOAD_TIMEOUT_MS,
  });
  finish(load.status === 0 ? 'done' : 'failed');
  return load.status === 0 ? undefined : toProblem(load);
}

function toProblem({ error, signal, stderr }) {
  const lines = stderr?.trim().split('\n').slice(0, 8).join('\n');
  return `it does not run (${error?.message ?? (lines || signal || 'no output')})`;
}

function useNode(root, file, { pinned }) {
  // A relative link to the pinned Node.js, so that the folder can be moved.

  const target = pinned === undefined ? file : path.relative(path.dirname(linkPath(root)), file);
  symlinkSync(target, linkPath(root));
  writeStamp(stampPath(root), { node: fingerprint(linkPath(root)), pinned });
}
