import { constants } from 'node:fs';
import { access, open, readdir, stat, statfs } from 'node:fs/promises';
import { homedir, tmpdir, totalmem } from 'node:os';
import { execa } from 'execa';
import { Agent, request } from 'undici';
import { acceptsConnections, findListenProblem } from '../http/server.ts';

const COMMAND_WITHIN_MS = 60_000;
const ANSWER_WITHIN_MS = 2000;
/** Another program's server may send anything. */
const LONGEST_ANSWER_BYTES = 100_000;
/** Log files are rotated at 10 MB. */
const LONGEST_FILE_BYTES = 16e6;

/** The result of a command. It has no exit code if the command could not be started. */
export interface CommandResult {
  exitCode: number | undefined;
  /** stdout and stderr together. */
  output: string;
}

/** The checks' access to the machine. Tests replace parts of it to simulate failures. */
export interface Machine {
  platform: NodeJS.Platform;
  arch: string;
  nodeVersion: string;
  electronVersion: string | undefined;
  env: NodeJS.ProcessEnv;
  home: string;
  temporaryFolder: string;
  memoryBytes: number;
  /** Runs a command to completion; never rejects. */
  run(command: string, args: readonly string[]): Promise<CommandResult>;
  freeDiskBytes(folder: string): Promise<number>;
  isWritable(folder: string): Promise<boolean>;
  /** Reads a regular file; only the end if it is very long. */
  readFile(path: string): Promise<string>;
  listFiles(folder: string): Promise<string[]>;
  acceptsConnections(host: string, port: number): Promise<boolean>;
  /** The error if the service cannot listen there; undefined if it can. */
  listenProblem(host: string, port: number): Promise<NodeJS.ErrnoException | undefined>;
  /** Fetches JSON, regardless of the status; resolves with undefined if the response is not JSON. */
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
  readFile: readEnd,
  listFiles: (folder) => readdir(folder),
  acceptsConnections,
  listenProblem: findListenProblem,
  getJson: async (url) => {
    // The global dispatcher uses a proxy if NODE_USE_ENV_PROXY is set. This one doesn't, nor follow redirects.
    const dispatcher = new Agent();
    try {
      const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
      const { body } = await request(url, { dispatcher, signal });
      let text = '';
      for await (const part of body.setEncoding('utf8')) {
        text += part;
        if (text.length > LONGEST_ANSWER_BYTES) return undefined;
      }
      return JSON.parse(text);
    } catch {
      return undefined;
    } finally {
      void dispatcher.destroy();
    }
  },
};

async function readEnd(path: string): Promise<string> {
  // Check the type first: opening a named pipe would block until another process writes to it.
  const stats = await stat(path);
  if (!stats.isFile()) throw new Error(`${path} is not a file`);
  const { size } = stats;
  const file = await open(path);
  try {
    const length = Math.min(size, LONGEST_FILE_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}
