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
/** How long a command may take to clean up after SIGTERM, which npm ignores, before SIGKILL. */
const GRACE_MS = 3000;

/** An error for the user: the message says what to do, and is printed without a stack trace. */
export class SetupError extends Error {}

const NO_PERMISSION =
  'You do not have permission. Change the owner of the folder, or clone Sightglass into a folder that you own';

/** What the user can do about a file system error. */
const REMEDIES = {
  EACCES: NO_PERMISSION,
  EPERM: NO_PERMISSION,
  EROFS: 'The disk is read-only. Clone Sightglass to a writable disk',
  ENOSPC: 'The disk is full. Free up about 3 GB',
  EDQUOT: 'Your disk quota is used up. Free up about 3 GB',
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

/** The folder for setup's log, its lock and its own downloads. Creates it if needed. */
export function setupFolder(root) {
  const folder = path.join(root, 'resources/runtime/.setup');
  mkdirSync(folder, { recursive: true });
  return folder;
}

/**
 * Runs one command. Shows one progress line, with the elapsed seconds on a terminal, and writes the
 * output to the log. If the command fails or its output matches `failure`, shows the last lines of it.
 * @throws SetupError with `remedy`
 */
export async function runStep(root, step) {
  const { title, command, args, env, cwd = root, remedy, failure } = step;
  const logPath = path.join(setupFolder(root), 'setup.log');
  const log = openSync(logPath, 'a');
  const offset = fstatSync(log).size;
  const finish = showProgress(title);
  try {
    writeSync(log, `\n== ${title}: ${[command, ...args].join(' ')}\n`);
    const code = await run(root, command, args, { cwd, env, stdio: ['ignore', log, log] });
    const output = readFileSync(logPath).subarray(offset).toString().trimEnd();
    const isDone = code === 0 && failure?.test(output) !== true;
    finish(isDone ? 'done' : 'failed');
    if (isDone) return;
    const tail = output.split('\n').slice(-15).join('\n');
    throw new SetupError(`${tail}\n\n${title} failed. ${remedy}\nFull log: ${logPath}`);
  } finally {
    closeSync(log);
  }
}

/** Shows a progress line. Call the returned function with the outcome to complete it. */
export function showProgress(title) {
  const startedAt = performance.now();
  const seconds = () => `${((performance.now() - startedAt) / 1000).toFixed(0)} s`;
  const terminal = process.stderr.isTTY;
  const show = (text) => process.stderr.write(terminal ? `\r\x1b[K${text}` : `${text}\n`);
  show(`${title} ...`);
  // unref: after an unexpected error nothing completes the line, and setup must still exit.
  const timer = terminal
    ? setInterval(() => show(`${title} ... ${seconds()}`), 1000).unref()
    : undefined;
  return (outcome) => {
    clearInterval(timer);
    show(`${title}: ${outcome}, ${seconds()}${terminal ? '\n' : ''}`);
  };
}

/**
 * Stops the command that is running in this folder, if any: our own when setup is interrupted, or one
 * that a killed setup left behind. A leftover `npm ci` would write to the same files as ours. Sends
 * SIGTERM, then SIGKILL after a grace period.
 */
export async function stopStep(root) {
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
    if (error.code !== 'ESRCH') throw error; // it has already exited
  }
}

/**
 * The start time of a process, which distinguishes it from a later process with the same pid. Undefined
 * if the process has exited; a zombie counts as exited.
 */
export function processStart(pid) {
  if (process.platform === 'linux') {
    try {
      // The fields after the command name, which may contain spaces and parentheses.
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
      const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
      return fields[0] === 'Z' ? undefined : `${boot} ${fields[19]}`;
    } catch {
      return undefined;
    }
  }
  const { stdout } = spawnSync('/bin/ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
    encoding: 'utf8',
    env: { LC_ALL: 'C', TZ: 'UTC' }, // the time must not change with the user's time zone
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

/** Runs a command and resolves with its exit code. Stops it and its children if setup exits. */
function run(root, command, args, { cwd, env, stdio }) {
  return new Promise((resolve, reject) => {
    // In its own process group, so that its children can be stopped too.
    const child = spawn(command, args, { cwd, env, stdio, detached: true });
    const stop = () => killGroup(child.pid, 'SIGTERM');
    const settle = (code) => {
      process.removeListener('exit', stop);
      rmSync(toRecordPath(root), { force: true });
      resolve(code);
    };
    child.once('error', (error) => {
      process.stderr.write(`${error.message}\n`);
      settle(1);
    });
    child.once('exit', (code) => settle(code ?? 1));
    if (child.pid === undefined) return;
    process.once('exit', stop);
    try {
      writeFileSync(toRecordPath(root), `${child.pid}\n${processStart(child.pid) ?? ''}`);
    } catch (error) {
      killGroup(child.pid, 'SIGKILL'); // without a record, no later setup could stop it
      reject(error);
    }
  });
}
