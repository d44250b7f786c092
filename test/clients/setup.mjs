// Installs what these tests need in addition to the project's setup: the npm packages in package-lock.json,
// a virtual environment with requirements.txt, and the coding agents in agents/package.json. When everything
// is up to date, it only reads a few files.

import { existsSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { withSetupLock } from '../../scripts/setup-lock.mjs';
import { npmCi } from '../../scripts/setup-node-modules.mjs';
import { AS_LOCKED, ensurePython } from '../../scripts/setup-python.mjs';
import { toPipEnvironment, toPythonEnvironment } from '../../scripts/setup-python-settings.mjs';
import { hashFiles, readJson, writeStamp } from '../../scripts/setup-stamp.mjs';
import { reportSetupFailure, runStep, SetupError } from '../../scripts/setup-step.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const [folder, venv, python, nodeModules, npmLock, pythonLock, stamp, ...ofAgents] = [
  '.',
  '.venv',
  '.venv/bin/python',
  'node_modules',
  'package-lock.json',
  'requirements.txt',
  '.venv/sightglass-setup.json',
  'agents',
  'agents/package.json',
  'agents/node_modules/.sightglass-setup.json',
].map((name) => fileURLToPath(new URL(name, import.meta.url)));
const [agents, agentsPackages, agentsStamp] = ofAgents;
const remedy = 'Check the network connection and the free disk space, then run this again.';

try {
  if (!isSetUp()) await withSetupLock(root, setUp);
  if (!hasAgents()) await withSetupLock(root, setUpAgents);
} catch (error) {
  reportSetupFailure(error);
}

function isSetUp() {
  const installed = readJson(stamp);
  return (
    installed?.locks === hashFiles([npmLock, pythonLock]) &&
    installed.folder === folder &&
    existsSync(python) &&
    existsSync(nodeModules)
  );
}

/** The stamp in the environment is written last, so an interrupted setup starts over. */
async function setUp() {
  if (isSetUp()) return;
  rmSync(venv, { recursive: true, force: true, maxRetries: 5 });
  await npmCi(root, { folder, title: 'Installing the Node clients for the tests' });
  await step('Creating a Python environment for the tests', {
    command: await ensurePython(root),
    args: ['-I', '-m', 'venv', venv],
    env: toPythonEnvironment(),
  });
  await step('Installing the Python clients for the tests', {
    command: python,
    args: ['-I', '-m', 'pip', 'install', ...AS_LOCKED, '--no-deps', '-r', pythonLock],
    env: toPipEnvironment(python),
  });
  writeStamp(stamp, { locks: hashFiles([npmLock, pythonLock]), folder });
}

function hasAgents() {
  return readJson(agentsStamp)?.packages === hashFiles([agentsPackages]);
}

/**
 * The agents' npm packages are up to 400 MB, and not available for every platform, so a failure only skips
 * their tests. There is no lock file: npm cannot write one without the packages for all platforms. The
 * agents depend on exact versions of their programs.
 */
async function setUpAgents() {
  try {
    await step('Installing the coding agents for the tests', {
      command: 'npm',
      args: ['install', '--no-save', '--no-package-lock', '--ignore-scripts', '--bin-links'],
      cwd: agents,
    });
    writeStamp(agentsStamp, { packages: hashFiles([agentsPackages]) });
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`${error.message}\nThe tests with coding agents will be skipped.\n`);
  }
}

async function step(title, command) {
  await runStep(root, { title, ...command, remedy });
}
