// Setup, which runs before `npm start` and `npm test`. Installs the npm packages, a Node.js that can run
// Sightglass, the Python runtime and, with `--dev`, the development tools and a browser for the tests.
// Plain JavaScript, because it runs on the user's own Node.js before anything is installed.
// When everything is up to date, it only reads a few files and starts no process.

import { fileURLToPath } from 'node:url';
import { ensureChromium, findChromium } from './setup-chromium.mjs';
import { withSetupLock } from './setup-lock.mjs';
import { checkFolder, checkMachine, ensureNode, hasNode } from './setup-node.mjs';
import { ensureNodeModules, hasNodeModules } from './setup-node-modules.mjs';
import { ensureRuntime, hasRuntime } from './setup-runtime.mjs';
import { reportSetupFailure } from './setup-step.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const dev = process.argv.includes('--dev');

try {
  checkMachine();
  checkFolder(root);
  const isComplete = hasNodeModules(root) && hasNode(root) && hasRuntime(root, { dev });
  if (!isComplete || (dev && findChromium() === undefined)) {
    await withSetupLock(root, async () => {
      await ensureNodeModules(root);
      await ensureNode(root);
      await ensureRuntime(root, { dev });
      if (dev) await ensureChromium(root);
    });
  }
} catch (error) {
  reportSetupFailure(error);
}
