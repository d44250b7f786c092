// The setup before `npm start` and `npm test`: node_modules, a Node.js that runs Sightglass, the Python
// runtime and, for the tests, a browser.
// Plain JavaScript on purpose: it runs on the machine's own Node.js before anything is installed.
// A warm run reads a few files and starts no process.

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
  const isWhole = hasNodeModules(root) && hasNode(root) && hasRuntime(root, { dev });
  if (!isWhole || (dev && findChromium() === undefined)) {
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
