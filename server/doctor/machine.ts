import { constants } from 'node:fs';
import { access, readdir, readFile, statfs } from 'node:fs/promises';
import { homedir, tmpdir, totalmem } from 'node:os';
import { execa } from 'execa';
import { acceptsConnections } from '../http/http-server.ts';

const COMMAND_WITHIN_MS = 60_000;
const ANSWER_WITHIN_MS = 2000;

/** The result of a command. It has no exit code if the command could not be started. */
export interface CommandResult {
  exitCode: number | undefined;
  /** stdout and stderr together. */
  output: string;
}

/** What the checks look at. Tests replace parts of it to fake a failure. */
export interface Machine {
  platform: NodeJS.Platform;
  arch: string;
  nodeVersion: string;
  electronVersion: string | undefined;
  env: NodeJS.ProcessEnv;
  home: string;
  temporaryFolder: string;
  memoryBytes: number;
  /** Runs a command until it exits; never rejects. */
  run(command: string, args: readonly string[]): Promise<CommandResult>;
  freeDiskBytes(folder: string): Promise<number>;
  isWritable(folder: string): Promise<boolean>;
  readFile(path: string): Promise<string>;
  listFiles(folder: string): Promise<string[]>;
  acceptsConnections(host: string, port: number): Promise<boolean>;
  /** Fetches JSON, regardless of the status; resolves with undefined if there is none. */
  getJson(url: string): Promise<unknown>;
}

/** The machine that this process runs on. */
export const thisMachine: Machine = {
  platform: process.platform,
  arch: process.arch,
  nodeVersion: process.versions.node,
  electronVersion: process.versions['electron'],
  env: process.env,
  home: homedir(),
  temporaryFolder: tmpdir(),
  memoryBytes: totalmem(),
  run: async (command, args) => {
    const { exitCode, all, shortMessage } = await execa(command, args, {
      all: true,
      reject: false,
      stdin: 'ignore',
      timeout: COMMAND_WITHIN_MS,
    });
    return { exitCode, output: exitCode === undefined ? (shortMessage ?? '') : all };
  },
  freeDiskBytes: async (folder) => {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  },
  isWritable: (folder) =>
    access(folder, constants.W_OK | constants.X_OK).then(
      () => true,
      () => false,
    ),
  readFile: (path) => readFile(path, 'utf8'),
  listFiles: (folder) => readdir(folder),
  acceptsConnections,
  getJson: async (url) => {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
      return await response.json();
    } catch {
      return undefined;
    }
  },
};
