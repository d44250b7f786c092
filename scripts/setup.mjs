// The single set-up step before `npm start` and `npm test`: node_modules, the Python runtime, and for
// the tests a browser.
// Plain JavaScript on purpose: it runs under the machine's own Node before anything is installed.
// A warm run reads a few files and starts no process.

import { fileURLToPath } from 'node:url';
import { ensureChromium, findChromium } from './setup-chromium.mjs';
import { withSetupLock } from './setup-lock.mjs';
import { ensureNodeModules, hasNodeModules } from './setup-node-modules.mjs';
import { ensureRuntime, hasRuntime } from './setup-runtime.mjs';
import { SetupError } from './setup-step.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const dev = process.argv.includes('--dev');

try {
  const isWhole = hasNodeModules(root) && hasRuntime(root, { dev });
  if (!isWhole || (dev && findChromium() === undefined)) {
    await withSetupLock(root, async () => {
      await ensureNodeModules(root);
      await ensureRuntime(root, { dev });
      if (dev) await ensureChromium(root);
    });
  }
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`\n${error.message}\n`);
  process.exitCode = 1;
}
