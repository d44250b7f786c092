// Sets up what these tests need beside the project's own set-up: the packages of package-lock.json
// here, and a virtual environment of requirements.txt. A warm run reads a few files.

import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { withSetupLock } from '../../scripts/setup-lock.mjs';
import { findPython } from '../../scripts/setup-python.mjs';
import { AS_LOCKED } from '../../scripts/setup-runtime.mjs';
import { hashFiles, readJson } from '../../scripts/setup-stamp.mjs';
import { runStep, SetupError } from '../../scripts/setup-step.mjs';

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
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`\n${error.message}\n`);
  process.exitCode = 1;
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

/** The stamp goes with the environment it is in and is written last: what is half made is made anew. */
async function setUp() {
  if (isSetUp()) return;
  rmSync(venv, { recursive: true, force: true, maxRetries: 5 });
  await step('Installing the Node clients of the tests', 'npm', ['ci', '--prefix', folder]);
  await step('Making a Python environment', findPython(), ['-I', '-m', 'venv', venv]);
  const pip = ['-I', '-m', 'pip', 'install', ...AS_LOCKED, '--no-deps'];
  await step('Installing the Python clients of the tests', python, [...pip, '-r', pythonLock]);
  writeFileSync(stamp, JSON.stringify({ locks: hashFiles([npmLock, pythonLock]), folder }));
}

async function step(title, command, args) {
  await runStep(root, { title, command, args, env: process.env, remedy });
}
