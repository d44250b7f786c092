import { fstatSync, writeSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import pino, { type Logger } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { LogFile } from './log-file.ts';
import type { Settings } from './settings.ts';

export interface Log {
  log: Logger;
  /** The newest log file; older ones are beside it. */
  file: string;
  /** Resolves when stderr has been read, or after a second. Its reader may have stopped reading. */
  flush: () => Promise<void>;
}

/** Takes lines of JSON, one a call. */
export type LogSink = pino.DestinationStream;

/** What may wait for the reader of a stderr pipe. Beyond it, lines are dropped and counted. */
const MAX_UNREAD_BYTES = 1_000_000;
const FLUSH_MS = 1000;

/**
 * Logs to stderr, for people on a terminal and as JSON otherwise, and always as JSON to files of 10 MB,
 * the last five of which are kept. Neither a full disk nor an unread pipe fails or delays a request.
 */
export function createLog(
  { logLevel, logFormat }: Pick<Settings, 'logLevel' | 'logFormat'>,
  { directory = logDirectory(), also = [] }: { directory?: string; also?: LogSink[] } = {},
): Log {
  const format = logFormat ?? (process.stderr.isTTY ? 'pretty' : 'json');
  const stderr = new StderrSink();
  const terminal = format === 'pretty' ? forPeople(stderr) : stderr;
  const create = (...streams: LogSink[]) =>
    pino(
      { level: logLevel, base: { pid: process.pid } },
      pino.multistream(streams.map((stream) => ({ level: 'trace', stream }))),
    );
  const file = new LogFile(directory, {
    onFailure: (error) =>
      create(terminal, ...also).warn(
        `The log file in ${directory} cannot be written (${error.message}). The server continues ` +
          'without it, and keeps trying.',
      ),
  });
  return {
    log: create(terminal, file, ...also),
    file: join(directory, 'current.log'),
    flush: () => stderr.flush(),
  };
}

/** For a command that ends soon: only what the user should know, to stderr only. */
export function createCommandLog(): Logger {
  return pino({ level: 'warn' }, forPeople(new StderrSink()));
}

function forPeople(sink: LogSink): LogSink {
  const toText = prettyFactory({ ignore: 'pid,hostname', colorize: process.stderr.isTTY });
  return { write: (line) => sink.write(toText(line)) };
}

/**
 * stderr that never blocks and never throws. Node writes to a pipe asynchronously and keeps what its
 * reader has not read, so that is bounded here.
 */
class StderrSink implements LogSink {
  readonly #isFile = isRegularFile(2);
  #dropped = 0;

  constructor() {
    // Each sink registers the same listener; without one, a reader that is gone would end the process.
    process.stderr.off('error', ignore).on('error', ignore);
  }

  write(line: string): void {
    if (this.#isFile) {
      this.#append(line);
      return;
    }
    if (process.stderr.writableLength > MAX_UNREAD_BYTES) {
      this.#dropped += 1;
      return;
    }
    if (this.#dropped > 0) {
      process.stderr.write(toNotice(this.#dropped));
      this.#dropped = 0;
    }
    process.stderr.write(line);
  }

  async flush(): Promise<void> {
    if (process.stderr.writableLength === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, FLUSH_MS);
    process.stderr.once('drain', resolve).once('close', resolve);
    await promise;
    clearTimeout(timer);
  }

  /** Not process.stderr: after one failed write to a file, on a full disk, it writes nothing more. */
  #append(line: string): void {
    try {
      writeSync(2, line);
    } catch {
      // The disk is full: the log file says how much was lost.
    }
  }
}

function toNotice(count: number): string {
  const msg = `${count} log lines were dropped because stderr was not read`;
  return `${JSON.stringify({ level: 40, time: Date.now(), msg })}\n`;
}

function isRegularFile(fd: number): boolean {
  try {
    return fstatSync(fd).isFile();
  } catch {
    return false; // closed
  }
}

function ignore(): void {}

/** Where macOS keeps an app's logs; elsewhere the XDG state folder. */
export function logDirectory({
  platform = process.platform,
  env = process.env,
  home = homedir(),
}: {
  platform?: NodeJS.Platform;
  env?: NodeJS.ProcessEnv;
  home?: string;
} = {}): string {
  if (platform === 'darwin') return join(home, 'Library', 'Logs', 'Sightglass');
  const state = env['XDG_STATE_HOME'] ?? '';
  return join(isAbsolute(state) ? state : join(home, '.local', 'state'), 'sightglass');
}
