import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import pino, { type Logger } from 'pino';
import { prettyFactory } from 'pino-pretty';
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

const MAX_BYTES = 10_000_000;
/** Rolled files that are kept beside the one in use. */
const KEPT = 4;
/** After a failed write, lines are dropped for this long before the next attempt. */
const RETRY_MS = 1000;
const NAME = /^sightglass\.(\d+)\.log$/;

export interface LogFileOptions {
  /** Called for the first failure only: a full disk would otherwise repeat it with every line. */
  onFailure: (error: Error) => void;
  maxBytes?: number;
  now?: () => number;
}

/**
 * Appends lines to `sightglass.N.log` and starts a new file at 10 MB; `current.log` links to the newest.
 * Never throws: lines that cannot be written, because the disk is full, say, are dropped and counted,
 * and once writing works again a line says how many were lost. Not pino-roll: after a failed write it
 * throws, loses track of the size, or stops rolling.
 */
export class LogFile {
  readonly #directory: string;
  readonly #options: LogFileOptions;
  readonly #now: () => number;
  #fd: number | undefined;
  #number = 0;
  #size = 0;
  #lost = 0;
  #retryAt = Number.NEGATIVE_INFINITY;
  #hasFailed = false;

  constructor(directory: string, options: LogFileOptions) {
    this.#directory = directory;
    this.#options = options;
    this.#now = options.now ?? performance.now.bind(performance);
    this.#attempt(() => {
      this.#fd ??= this.#open();
    });
  }

  /** One line, with its line feed. */
  write(line: string): void {
    if (!this.#attempt(() => this.#append(line))) this.#lost += 1;
  }

  #append(line: string): void {
    this.#fd ??= this.#open();
    if (this.#size >= (this.#options.maxBytes ?? MAX_BYTES)) this.#roll();
    if (this.#lost > 0) {
      const msg = `${this.#lost} log lines could not be written`;
      this.#writeWhole(`${JSON.stringify({ level: 40, time: Date.now(), msg })}\n`);
      this.#lost = 0;
    }
    this.#writeWhole(line);
  }

  /** Leaves no half line behind: what fits of it on a full disk is removed again. */
  #writeWhole(line: string): void {
    const fd = this.#fd;
    if (fd === undefined) throw new TypeError('The log file is not open.');
    const data = Buffer.from(line);
    let done = 0;
    try {
      while (done < data.length) done += writeSync(fd, data, done);
    } catch (error) {
      // Another instance may append to the same file: then its end is not ours to cut off.
      if (done > 0 && fstatSync(fd).size === this.#size + done) ftruncateSync(fd, this.#size);
      throw error;
    }
    this.#size += data.length;
  }

  /** Returns false, without trying, shortly after a failure. */
  #attempt(work: () => void): boolean {
    if (this.#now() < this.#retryAt) return false;
    try {
      work();
      return true;
    } catch (error) {
      this.#retryAt = this.#now() + RETRY_MS;
      if (!this.#hasFailed) this.#options.onFailure(error as Error);
      this.#hasFailed = true;
      return false;
    }
  }

  #open(): number {
    mkdirSync(this.#directory, { recursive: true });
    this.#number = Math.max(1, ...listNumbers(this.#directory));
    return this.#openNumbered();
  }

  #roll(): void {
    const before = this.#fd;
    this.#number = Math.max(this.#number, ...listNumbers(this.#directory)) + 1;
    this.#fd = this.#openNumbered();
    if (before !== undefined) closeSync(before);
    const oldest = this.#number - KEPT;
    for (const number of listNumbers(this.#directory)) {
      if (number < oldest) rmSync(join(this.#directory, toName(number)), { force: true });
    }
  }

  #openNumbered(): number {
    const fd = openSync(join(this.#directory, toName(this.#number)), 'a', 0o600);
    this.#size = fstatSync(fd).size;
    this.#link();
    return fd;
  }

  /** A convenience only: a disk that cannot have links still has its log. */
  #link(): void {
    const draft = join(this.#directory, `current.log.${process.pid}`);
    try {
      rmSync(draft, { force: true });
      symlinkSync(toName(this.#number), draft);
      renameSync(draft, join(this.#directory, 'current.log'));
    } catch {
      rmSync(draft, { force: true });
    }
  }
}

function listNumbers(directory: string): number[] {
  return readdirSync(directory).flatMap((name) => {
    const number = NAME.exec(name)?.[1];
    return number === undefined ? [] : [Number(number)];
  });
}

function toName(number: number): string {
  return `sightglass.${number}.log`;
}
