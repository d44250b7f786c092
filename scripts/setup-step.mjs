import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 50;
/** Time for the command to clean up. npm keeps running after SIGTERM and needs SIGKILL. */
const GRACE_MS = 3000;

/** Setup cannot continue. The message says what to do and is shown without a stack trace. */
export class SetupError extends Error {}

/** What the user can do about a file system error. */
const REMEDIES = {
  EACCES:
    'You are not allowed to write there. Make the folder yours, or clone Sightglass into one that is',
  EPERM:
    'You are not allowed to write there. Make the folder yours, or clone Sightglass into one that is',
  EROFS: 'The disk is read-only. Clone Sightglass to a disk that can be written to',
  ENOSPC: 'The disk is full. Free about 3 GB',
  EDQUOT: 'Your disk quota is used up. Free about 3 GB',
};

/** Prints why setup failed and sets the exit code to 1. Rethrows unexpected errors. */
export function reportSetupFailure(error) {
  const remedy = REMEDIES[error.code];
  if (remedy === undefined && !(error instanceof SetupError)) throw error;
  const message =
    remedy === undefined
      ? error.message
      : `Setup cannot write ${error.path ?? 'its files'} (${error.code}). ${remedy}, then run this again.`;
  process.stderr.write(`\n${message}\n`);
  process.exitCode = 1;
}

/** Where setup keeps its log, its lock and what it downloads for itself. */
export function setupFolder(root) {
  const folder = path.join(root, 'resources/runtime/.setup');
  mkdirSync(folder, { recursive: true });
  return folder;
}

/**
 * Runs one command, shown as a single line that counts the seconds on a terminal. The output goes to
 * the log; its last lines are shown when the command fails, or writes what matches `failure`.
 * @throws SetupError with `remedy`
 */
export async function runStep(root, step) {
  const { title, command, args, env, cwd = root, remedy, failure } = step;
  const logPath = path.join(setupFolder(root), 'setup.log');
  const log = openSync(logPath, 'a');
  const begin = fstatSync(log).size;
  const finish = showProgress(title);
  try {
    writeSync(log, `\n== ${title}: ${[command, ...args].join(' ')}\n`);
    const code = await run(root, command, args, { cwd, env, stdio: ['ignore', log, log] });
    const output = readFileSync(logPath).subarray(begin).toString().trimEnd();
    const isDone = code === 0 && failure?.test(output) !== true;
    finish(isDone ? 'done' : 'failed');
    if (isDone) return;
    const tail = output.split('\n').slice(-15).join('\n');
    throw new SetupError(`${tail}\n\n${title} failed. ${remedy}\nFull log: ${logPath}`);
  } finally {
    closeSync(log);
  }
}

/** Shows a line until the returned function is called with the outcome. */
export function showProgress(title) {
  const startedAt = performance.now();
  const seconds = () => `${((performance.now() - startedAt) / 1000).toFixed(0)} s`;
  const terminal = process.stderr.isTTY;
  const show = (text) => process.stderr.write(terminal ? `\r\x1b[K${text}` : `${text}\n`);
  show(`${title} ...`);
  // Not what setup waits for: it ends even when nobody tells the outcome, after an error.
  const timer = terminal
    ? setInterval(() => show(`${title} ... ${seconds()}`), 1000).unref()
    : undefined;
  return (outcome) => {
    clearInterval(timer);
    show(`${title}: ${outcome}, ${seconds()}${terminal ? '\n' : ''}`);
  };
}

/**
 * Ends the command of the step that runs in this folder, if any: our own when setup is stopped, or one
 * that a killed setup left running. A leftover `npm ci` would write to the same files as ours. The
 * command gets some time to exit before it is killed.
 */
export async function endStep(root) {
  const recordPath = toRecordPath(root);
  const [pid, started] = readLines(recordPath);
  const isRunning = () => started !== undefined && processStart(pid) === started;
  if (isRunning()) killGroup(pid, 'SIGTERM');
  const killAt = performance.now() + GRACE_MS;
  while (isRunning()) {
    if (performance.now() > killAt) killGroup(pid, 'SIGKILL');
    await sleep(POLL_MS);
  }
  rmSync(recordPath, { force: true });
}

function killGroup(pid, signal) {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error; // it has ended in the meantime
  }
}

/**
 * When a process started, in a form that distinguishes it from a later one with the same pid; undefined
 * when it has ended (a zombie counts as ended).
 */
export function processStart(pid) {
  if (process.platform === 'linux') {
    try {
      // The fields after the command name, which may itself contain spaces and parentheses.
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
      const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
      return fields[0] === 'Z' ? undefined : `${boot} ${fields[19]}`;
    } catch {
      return undefined;
    }
  }
  const { stdout } = spawnSync('/bin/ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
    encoding: 'utf8',
    env: { LC_ALL: 'C', TZ: 'UTC' }, // the time must look the same after a journey
  });
  const [, state, start] = /^(\S+)\s+(.*)$/.exec(stdout?.trim() ?? '') ?? [];
  return state?.startsWith('Z') ? undefined : start;
}

function toRecordPath(root) {
  return path.join(setupFolder(root), 'step');
}

function readLines(file) {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch {
    return [];
  }
}

/** Resolves with the exit code. The command and its children end when setup does. */
function run(root, command, args, { cwd, env, stdio }) {
  return new Promise((resolve, reject) => {
    // In a process group of its own, so that nothing of it outlives the step.
    const child = spawn(command, args, { cwd, env, stdio, detached: true });
    const end = () => killGroup(child.pid, 'SIGTERM');
    const settle = (code) => {
      process.removeListener('exit', end);
      rmSync(toRecordPath(root), { force: true });
      resolve(code);
    };
    child.once('error', (error) => {
      process.stderr.write(`${error.message}\n`);
      settle(1);
    });
    child.once('exit', (code) => settle(code ?? 1));
    if (child.pid === undefined) return;
    process.once('exit', end);
    try {
      writeFileSync(toRecordPath(root), `${child.pid}\n${processStart(child.pid) ?? ''}`);
    } catch (error) {
      killGroup(child.pid, 'SIGKILL'); // without its record nobody could end it later
      reject(error);
    }
  });
}
