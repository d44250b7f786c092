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
  /** The current log file. Older ones are in the same folder. */
  file: string;
  /** Resolves when everything on stderr has been read, or after a second. */
  flush: () => Promise<void>;
}

/** Receives one line of JSON per call. */
export type LogSink = pino.DestinationStream;

/** Unread output to buffer if stderr is a pipe. Beyond it, lines are dropped and counted. */
const MAX_UNREAD_BYTES = 1_000_000;
const FLUSH_MS = 1000;

/**
 * Logs to stderr, formatted for people on a terminal and as JSON otherwise, and as JSON to files of
 * 10 MB, keeping the last five. A full disk or an unread pipe neither fails nor delays a request.
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
        `Cannot write the log file in ${directory} (${error.message}). The server continues without ` +
          'it and keeps trying.',
      ),
  });
  return {
    log: create(terminal, file, ...also),
    file: join(directory, 'current.log'),
    flush: () => stderr.flush(),
  };
}

/** For short-lived commands: logs only warnings and errors, and only to stderr. */
export function createCommandLog(): Logger {
  return pino({ level: 'warn' }, forPeople(new StderrSink()));
}

function forPeople(sink: LogSink): LogSink {
  const toText = prettyFactory({ ignore: 'pid,hostname', colorize: process.stderr.isTTY });
  return { write: (line) => sink.write(toText(line)) };
}

/**
 * Writes to stderr without ever blocking or throwing. Node writes to pipes asynchronously and buffers
 * what has not been read, so the buffer is limited here.
 */
class StderrSink implements LogSink {
  readonly #isFile = isRegularFile(2);
  #dropped = 0;

  constructor() {
    // Every sink registers the same listener. Without it, the process would crash if the reader exits.
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

  /** Does not use process.stderr, which stops working after a failed write to a file. */
  #append(line: string): void {
    try {
      writeSync(2, line);
    } catch {
      // The disk is full. The log file reports how many lines were lost.
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

/** The folder for an app's logs on macOS, and the XDG state folder elsewhere. */
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
/** Number of older files to keep. */
const KEPT = 4;
/** After a failed write, lines are dropped for this long before the next attempt. */
const RETRY_MS = 1000;
const NAME = /^sightglass\.(\d+)\.log$/;

export interface LogFileOptions {
  /** Called for the first failure only, since on a full disk every line fails. */
  onFailure: (error: Error) => void;
  maxBytes?: number;
  now?: () => number;
}

/**
 * Appends lines to `sightglass.N.log` and starts a new file at 10 MB; `current.log` links to the newest.
 * Never throws: lines that cannot be written, for example on a full disk, are dropped, and their number
 * is logged once writing works again. We do not use pino-roll, which after a failed write throws, loses
 * track of the size, or stops rolling.
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

  /** Writes one line, which must end with a line feed. */
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

  /** Writes all or nothing: on a full disk, a partly written line is removed again. */
  #writeWhole(line: string): void {
    const fd = this.#fd;
    if (fd === undefined) throw new TypeError('The log file is not open.');
    const data = Buffer.from(line);
    let done = 0;
    try {
      while (done < data.length) done += writeSync(fd, data, done);
    } catch (error) {
      // If another instance has appended to the file meanwhile, truncating would remove its lines.
      if (done > 0 && fstatSync(fd).size === this.#size + done) ftruncateSync(fd, this.#size);
      throw error;
    }
    this.#size += data.length;
  }

  /** Returns whether it succeeded. Does not try again until some time after a failure. */
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

  /** For convenience only: logging also works on disks that do not support links. */
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
