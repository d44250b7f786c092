import { spawn } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import path from 'node:path';

/** A set-up that cannot go on; the message says what to do. */
export class SetupError extends Error {}

/** Where the set-up keeps its log and its lock. */
export function setupFolder(root) {
  const folder = path.join(root, 'resources/runtime/.setup');
  mkdirSync(folder, { recursive: true });
  return folder;
}

/**
 * Runs one command as a step the person can watch: a single line with the seconds, updated on a
 * terminal. Its output goes to the log, of which the end is shown when it fails.
 * @throws SetupError with `remedy`
 */
export async function runStep(root, { title, command, args, env, remedy }) {
  const logPath = path.join(setupFolder(root), 'setup.log');
  const log = openSync(logPath, 'a');
  const begin = fstatSync(log).size;
  const done = showProgress(title);
  try {
    writeSync(log, `\n== ${title}: ${[command, ...args].join(' ')}\n`);
    const code = await run(command, args, { cwd: root, env, stdio: ['ignore', log, log] });
    done(code === 0 ? 'done' : 'failed');
    if (code === 0) return;
    const output = readFileSync(logPath).subarray(begin).toString().trimEnd();
    const tail = output.split('\n').slice(-15).join('\n');
    throw new SetupError(`${tail}\n\n${title} failed. ${remedy}\nThe whole log: ${logPath}`);
  } finally {
    closeSync(log);
  }
}

/** Shows a line until the function it returns is called with the outcome. */
export function showProgress(title) {
  const startedAt = performance.now();
  const seconds = () => `${((performance.now() - startedAt) / 1000).toFixed(0)} s`;
  const terminal = process.stderr.isTTY;
  const show = (text) => process.stderr.write(terminal ? `\r\x1b[K${text}` : `${text}\n`);
  show(`${title} ...`);
  const timer = terminal ? setInterval(() => show(`${title} ... ${seconds()}`), 1000) : undefined;
  return (outcome) => {
    clearInterval(timer);
    show(`${title}: ${outcome}, ${seconds()}${terminal ? '\n' : ''}`);
  };
}

/** Resolves with the exit code. The command ends with us. */
function run(command, args, { cwd, env, stdio }) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env, stdio });
    const end = () => child.kill();
    process.once('exit', end);
    const settle = (code) => {
      process.removeListener('exit', end);
      resolve(code);
    };
    child.once('error', (error) => {
      process.stderr.write(`${error.message}\n`);
      settle(1);
    });
    child.once('exit', (code) => settle(code ?? 1));
  });
}
