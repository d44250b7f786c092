// Sets up what these tests need beside the project's own set-up: the packages of package-lock.json
// here, a virtual environment of requirements.txt, and the coding agents of agents/package.json. A warm
// run reads a few files.

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

function hasAgents() {
  return readJson(agentsStamp)?.packages === hashFiles([agentsPackages]);
}

/**
 * Their npm packages have programs of 400 MB for some platforms and none for others: tests of an agent
 * that cannot be had are skipped. There is no lock, since npm writes none without every platform's
 * package; each agent asks for its program by exact version.
 */
async function setUpAgents() {
  try {
    await step('Installing the coding agents of the tests', {
      command: 'npm',
      args: ['install', '--no-save', '--no-package-lock', '--ignore-scripts', '--bin-links'],
      cwd: agents,
    });
    writeStamp(agentsStamp, { packages: hashFiles([agentsPackages]) });
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write('The coding agents could not be installed. Their tests are skipped.\n');
  }
}

async function step(title, command) {
  await runStep(root, { title, ...command, remedy });
}
