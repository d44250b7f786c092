import { CommanderError } from 'commander';
import type { Logger } from 'pino';
import { ListenError } from '../http/server.ts';
import { ProblemError } from '../problem.ts';
import { GenerationFailedError, RuntimeDiedError, RuntimeRefusedError } from '../runtime/errors.ts';
import type { Service } from '../service.ts';
import { UsageError } from './flags.ts';
import { toPlain } from './model-text.ts';

/**
 * The first SIGINT, SIGTERM or SIGHUP (its terminal was closed) lets running requests complete, the
 * second stops at once. Under `nohup` too: Node.js resets ignored signals when it starts, so that
 * cannot be detected. Resolves when no process is left.
 */
export function drainOnSignals(service: Service, log: Logger): Promise<void> {
  return new Promise((resolve, reject) => {
    let asked = false;
    const onSignal = () => {
      const ending = asked ? service.stop() : service.drain();
      if (!asked && service.activity.active().length > 0) {
        const count = service.activity.active().length;
        log.info(`finishing ${count} request(s) first; press Ctrl-C again to stop now`);
      }
      asked = true;
      ending.then(resolve, reject);
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    process.on('SIGHUP', onSignal);
  });
}

/** The person stopped it, with Ctrl-C or the signal of a process manager; says what became of it. */
export class InterruptedError extends Error {
  override name = 'InterruptedError';
}

const MISUSED = 2;
const INTERRUPTED = 130;
/** What a person can mend, or try again. */
const TOLD_IN_A_LINE = [
  ListenError,
  ProblemError,
  RuntimeDiedError,
  RuntimeRefusedError,
  GenerationFailedError,
];

/** One line for what a person can mend. Gives the exit code. @throws the error if it is ours */
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
  if (TOLD_IN_A_LINE.some((kind) => error instanceof kind)) {
    process.stderr.write(`error: ${toPlain((error as Error).message)}\n`);
    return 1;
  }
  if (error instanceof InterruptedError) {
    process.stderr.write(`${toPlain(error.message)}\n`);
    return INTERRUPTED;
  }
  throw error;
}

/** Whoever read what we write has gone, and we go on; other troubles are told. */
export function goOnUnread(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') return;
  process.exitCode = 1;
  process.stderr.write(`error: the output could not be written: ${error.message}\n`);
}
