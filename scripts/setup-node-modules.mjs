import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { hashFiles, readJson } from './setup-stamp.mjs';
import { runStep, SetupError } from './setup-step.mjs';

/** What sets up; the app itself runs on the newer Node of package-lock.json. */
const OLDEST_NODE = 20;

/** True when node_modules is what package-lock.json says. */
export function hasNodeModules(root) {
  return readJson(stampPath(root))?.lock === hashFiles([path.join(root, 'package-lock.json')]);
}

/**
 * Makes it so with `npm ci`; an `npm install` by hand that already did is left alone.
 * @throws SetupError
 */
export async function ensureNodeModules(root) {
  if (hasNodeModules(root)) return;
  if (!installedByHand(root)) await install(root);
  const lock = hashFiles([path.join(root, 'package-lock.json')]);
  writeFileSync(stampPath(root), JSON.stringify({ lock }));
}

function stampPath(root) {
  return path.join(root, 'node_modules/.sightglass-setup.json');
}

/** npm writes what it installed into a lock of its own; optional packages differ between machines. */
function installedByHand(root) {
  const wanted = readJson(path.join(root, 'package-lock.json'))?.packages ?? {};
  const installed = readJson(path.join(root, 'node_modules/.package-lock.json'))?.packages;
  if (installed === undefined) return false;
  return Object.entries(wanted).every(
    ([name, { version, optional }]) =>
      name === '' || optional === true || installed[name]?.version === version,
  );
}

async function install(root) {
  const env = environmentOutsideNodeModules(root);
  const hasNpm = env.PATH.split(path.delimiter).some((dir) => existsSync(path.join(dir, 'npm')));
  if (!hasNpm || Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
    throw new SetupError(
      `Sightglass is set up with npm and Node.js ${OLDEST_NODE} or later. Install them (\`brew install node\`, the installer ` +
        'of nodejs.org, or your distribution), then run this again.',
    );
  }
  await runStep(root, {
    title: 'Installing the packages of package-lock.json',
    command: 'npm',
    // Node 24, which the scripts run on, is one of the packages: the engine warnings mean nothing.
    args: ['ci', '--no-audit', '--no-fund', '--loglevel=error'],
    env,
    remedy: 'Check the network connection and the free disk space, then run this again.',
  });
}

/** `npm ci` removes node_modules first, and with it the Node that an npm script runs on. */
function environmentOutsideNodeModules(root) {
  const inside = path.join(root, 'node_modules');
  const folders = (process.env.PATH ?? '').split(path.delimiter);
  const PATH = folders.filter((folder) => !folder.startsWith(inside)).join(path.delimiter);
  return { ...process.env, PATH };
}
