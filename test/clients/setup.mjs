// Sets up what these tests need beside the project's own set-up: the packages of package-lock.json
// here, and a virtual environment of requirements.txt. A warm run reads a few files.

import { existsSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { withSetupLock } from '../../scripts/setup-lock.mjs';
import { npmCi } from '../../scripts/setup-node-modules.mjs';
import { AS_LOCKED, ensurePython } from '../../scripts/setup-python.mjs';
import { toPipEnvironment, toPythonEnvironment } from '../../scripts/setup-python-settings.mjs';
import { hashFiles, readJson, writeStamp } from '../../scripts/setup-stamp.mjs';
import { reportSetupFailure, runStep } from '../../scripts/setup-step.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const [folder, venv, python, nodeModules, npmLock, pythonLock, stamp] = [
  '.',
  '.venv',
  '.venv/bin/python',
  'node_modules',
  'package-lock.json',
  'requirements.txt',
  '.venv/sightglass-setup.json',
].map((name) => fileURLToPath(new URL(name, import.meta.url)));
const remedy = 'Check the network connection and the free disk space, then run this again.';

try {
  if (!isSetUp()) await withSetupLock(root, setUp);
} catch (error) {
  reportSetupFailure(error);
}

function isSetUp() {
  const made = readJson(stamp);
  return (
    made?.locks === hashFiles([npmLock, pythonLock]) &&
    made.folder === folder &&
    existsSync(python) &&
    existsSync(nodeModules)
  );
}

/** The stamp is written last, into the environment: one that was interrupted is built from the start. */
async function setUp() {
  if (isSetUp()) return;
  rmSync(venv, { recursive: true, force: true, maxRetries: 5 });
  await npmCi(root, { folder, title: 'Installing the Node clients of the tests' });
  await step('Creating a Python environment', {
    command: await ensurePython(root),
    args: ['-I', '-m', 'venv', venv],
    env: toPythonEnvironment(),
  });
  await step('Installing the Python clients of the tests', {
    command: python,
    args: ['-I', '-m', 'pip', 'install', ...AS_LOCKED, '--no-deps', '-r', pythonLock],
    env: toPipEnvironment(python),
  });
  writeStamp(stamp, { locks: hashFiles([npmLock, pythonLock]), folder });
}

async function step(title, command) {
  await runStep(root, { title, ...command, remedy });
}
