import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import pino, { type Logger } from 'pino';
import pretty from 'pino-pretty';
import roll from 'pino-roll';
import type { Settings } from './settings.ts';

export interface Log {
  log: Logger;
  /** The newest log file; older ones lie beside it. */
  file: string;
  /** Writes out what is still in memory. */
  flush: () => void;
}

/** Takes lines of JSON, one a call. */
export type LogSink = pino.DestinationStream;

/**
 * Logs to stderr, for people on a terminal and as JSON otherwise, and always as JSON to a file
 * that is rolled at 10 MB, the last four being kept.
 */
export async function createLog(
  { logLevel, logFormat }: Pick<Settings, 'logLevel' | 'logFormat'>,
  { directory = logDirectory(), also = [] }: { directory?: string; also?: LogSink[] } = {},
): Promise<Log> {
  const format = logFormat ?? (process.stderr.isTTY ? 'pretty' : 'json');
  const terminal = format === 'pretty' ? forPeople() : pino.destination({ dest: 2, sync: true });
  const file = await openFile(directory).catch((error: Error) => error);
  const log = pino(
    { level: logLevel, base: { pid: process.pid } },
    pino.multistream([
      { level: 'trace', stream: terminal },
      ...(file instanceof Error ? [] : [{ level: 'trace' as const, stream: file }]),
      ...also.map((stream) => ({ level: 'trace' as const, stream })),
    ]),
  );
  if (file instanceof Error) {
    log.warn(`No log file can be written in ${directory}: ${file.message}`);
    return { log, file: 'stderr only', flush: () => {} };
  }
  return { log, file: join(directory, 'current.log'), flush: () => file.flushSync() };
}

/** Of a command that ends soon: what a person should know, to stderr only. */
export function createCommandLog(): Logger {
  return pino({ level: 'warn' }, forPeople());
}

function forPeople() {
  const colorize = process.stderr.isTTY;
  return pretty({ destination: 2, sync: true, ignore: 'pid,hostname', colorize });
}

async function openFile(directory: string) {
  await mkdir(directory, { recursive: true });
  return roll({
    file: join(directory, 'sightglass'),
    extension: '.log',
    size: '10m',
    limit: { count: 4, removeOtherLogFiles: true },
    symlink: true,
    sync: true,
  });
}

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
