import { CommanderError } from 'commander';
import type { Logger } from 'pino';
import { ListenError } from '../http/server.ts';
import { ProblemError } from '../problem.ts';
import { GenerationFailedError, RuntimeDiedError, RuntimeRefusedError } from '../runtime/errors.ts';
import type { Service } from '../service.ts';
import { UsageError } from './flags.ts';
import { toPlain } from './model-text.ts';

/**
 * Drains the service on the first SIGINT, SIGTERM or SIGHUP (the terminal was closed), and stops it
 * immediately on the second. Also under `nohup`, which cannot be detected because Node.js resets ignored
 * signals when it starts. Resolves when the service has stopped.
 */
export function drainOnSignals(service: Service, log: Logger): Promise<void> {
  return new Promise((resolve, reject) => {
    let isDraining = false;
    const onSignal = () => {
      const ending = isDraining ? service.stop() : service.drain();
      if (!isDraining && service.activity.active().length > 0) {
        const count = service.activity.active().length;
        log.info(`finishing ${count} request(s) first; press Ctrl-C again to stop now`);
      }
      isDraining = true;
      ending.then(resolve, reject);
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    process.on('SIGHUP', onSignal);
  });
}

/** The user or a process manager stopped the command. The message says what was left unfinished. */
export class InterruptedError extends Error {
  override name = 'InterruptedError';
}

const MISUSED = 2;
const INTERRUPTED = 130;
/** Errors that the user can fix or retry. They are shown without a stack trace. */
const EXPECTED = [
  ListenError,
  ProblemError,
  RuntimeDiedError,
  RuntimeRefusedError,
  GenerationFailedError,
];

/**
 * Prints an expected error on one line and returns the exit code.
 * @throws any other error
 */
export function reportFailure(error: unknown): number {
  if (error instanceof UsageError) {
    if (error.exitCode !== 0) process.stderr.write(`${error.message}\n`);
    return error.exitCode;
  }
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    process.stderr.write(`${error.message} (see --help)\n`);
    return MISUSED;
  }
  if (EXPECTED.some((kind) => error instanceof kind)) {
    process.stderr.write(`error: ${toPlain((error as Error).message)}\n`);
    return 1;
  }
  if (error instanceof InterruptedError) {
    process.stderr.write(`${toPlain(error.message)}\n`);
    return INTERRUPTED;
  }
  throw error;
}

/** Continues without output if its reader has exited. Reports other errors. */
export function ignoreBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') return;
  process.exitCode = 1;
  process.stderr.write(`error: could not write the output: ${error.message}\n`);
}
