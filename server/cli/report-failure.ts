import { CommanderError } from 'commander';
import { ListenError } from '../http/http-server.ts';
import {
  GenerationFailedError,
  RuntimeDiedError,
  RuntimeFailedError,
  RuntimeRefusedError,
} from '../runtime/runtime-errors.ts';
import { UsageError } from './flags.ts';
import { InterruptedError } from './interrupted.ts';
import { toPlain } from './print-table.ts';

const MISUSED = 2;
const INTERRUPTED = 130;
/** What a person can mend, or try again. */
const TOLD_IN_A_LINE = [
  ListenError,
  RuntimeFailedError,
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
