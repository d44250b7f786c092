import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { LauncherLine } from './launcher-line.ts';
import { type PythonEnd, PythonProcess, type RuntimeCommand } from './python-process.ts';

/** One process that serves one model. The supervisor runs at most one at a time. */
export interface RuntimeProcess {
  /** The socket that it serves on once it is ready. */
  readonly socketPath: string;
  /** Resolves with how it ended, after exit and its last line of output. Never rejects. */
  readonly exited: Promise<string>;
  /** Resolves once its files are removed too. */
  readonly cleanedUp: Promise<void>;
  /** Asks it to exit; it is killed if it does not. */
  stop(): void;
  /** Kills it immediately. */
  kill(): void;
}

export interface LaunchOptions {
  /** The socket and the model are added to its arguments. */
  command: RuntimeCommand;
  modelPath: string;
  log: Logger;
  onLine: (line: LauncherLine) => void;
}

/**
 * Starts the Python launcher, with a private folder for its socket.
 * @throws when the folder cannot be created
 */
export function launchRuntime({ command, modelPath, log, onLine }: LaunchOptions): RuntimeProcess {
  const folder = createSocketFolder();
  const socketPath = join(folder, 'runtime.sock');
  const args = [...command.args, `--socket=${socketPath}`, `--model=${modelPath}`];
  const schema = LauncherLine;
  const python = new PythonProcess({ command: { ...command, args }, schema, log, onLine });
  const exited = python.ended.then((end) => {
    if (isStarted(end)) return describeEnd(end);
    const message = `The runtime could not be started: ${end.shortMessage}.`;
    onLine({ event: 'fatal', reason: 'launch_failed', message, remedy: 'Run `npm run setup`.' });
    return 'it could not be started';
  });
  const cleanedUp = exited
    .then(() => rm(folder, { recursive: true, force: true }))
    .catch((error: Error) =>
      log.warn({ err: error }, 'could not remove the folder of the runtime'),
    );
  return {
    ...{ socketPath, exited, cleanedUp },
    stop: () => python.stop(),
    kill: () => python.kill(),
  };
}

function createSocketFolder(): string {
  const parent = tmpdir();
  try {
    return mkdtempSync(join(parent, 'sightglass-'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(`The temporary folder ${parent} cannot be used (${code}).`, { cause: error });
  }
}

function isStarted({ signal, exitCode }: PythonEnd): boolean {
  return signal !== undefined || exitCode !== undefined;
}

function describeEnd({ signal, exitCode }: PythonEnd): string {
  return signal === undefined ? `exit code ${exitCode}` : `killed by ${signal}`;
}
