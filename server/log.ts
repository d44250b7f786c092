import { homedir } from 'node:os';
import { join } from 'node:path';
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

/**
 * Logs to stderr, for people on a terminal and as JSON otherwise, and always as JSON to a file
 * that is rolled at 10 MB, the last five being kept.
 */
export async function createLog(
  { logLevel, logFormat }: Pick<Settings, 'logLevel' | 'logFormat'>,
  directory = logDirectory(),
): Promise<Log> {
  const format = logFormat ?? (process.stderr.isTTY ? 'pretty' : 'json');
  const terminal =
    format === 'pretty'
      ? pretty({
          destination: 2,
          sync: true,
          ignore: 'pid,hostname',
          colorize: process.stderr.isTTY,
        })
      : pino.destination({ dest: 2, sync: true });
  const file = await roll({
    file: join(directory, 'sightglass'),
    extension: '.log',
    size: '10m',
    limit: { count: 4, removeOtherLogFiles: true },
    symlink: true,
    mkdir: true,
    sync: true,
  });
  const log = pino(
    { level: logLevel, base: { pid: process.pid } },
    pino.multistream([
      { level: 'trace', stream: terminal },
      { level: 'trace', stream: file },
    ]),
  );
  return { log, file: join(directory, 'current.log'), flush: () => file.flushSync() };
}

/** Where macOS keeps an app's logs; elsewhere the XDG state folder. */
function logDirectory(): string {
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Logs', 'Sightglass');
  const state = process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state');
  return join(state, 'sightglass');
}
