import { existsSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { Logger } from 'pino';
import type { z } from 'zod';
import { MAX_ERROR_CHARACTERS, MAX_LINE_CHARACTERS } from '../limits.ts';
import { LauncherLine } from './protocol.ts';

/** The command line of one of our Python programs. */
export interface RuntimeCommand {
  python: string;
  args: readonly string[];
  env?: Readonly<Record<string, string>>;
}

export interface PythonOptions<Line> {
  command: RuntimeCommand;
  /** The schema of a line on its stdout. */
  schema: z.ZodType<Line>;
  log: Logger;
  onLine: (line: Line) => void;
}

/** How a program ended: with an exit code, by a signal, or, without either, it could not be started. */
export interface PythonEnd {
  exitCode?: number | undefined;
  signal?: string | undefined;
  shortMessage?: string | undefined;
}

/** A program that is still running this long after SIGTERM is killed. */
const FORCE_KILL_AFTER_MS = 5000;

/**
 * One of our Python programs: JSON lines on stdout, log lines on stderr. It exits when its stdin closes,
 * so it never outlives this process, even if this process is killed.
 */
export class PythonProcess<Line> {
  readonly #child: ReturnType<typeof spawn>;
  /** Resolves once the process has exited and its last line has been read. Never rejects. */
  readonly ended: Promise<PythonEnd>;

  constructor(options: PythonOptions<Line>) {
    this.#child = spawn(options.command);
    this.ended = follow(this.#child, options);
  }

  /** Writes a line to its stdin. Does nothing if it has exited. */
  write(line: string): void {
    this.#child.stdin.on('error', () => {}).write(`${line}\n`);
  }

  /** Asks it to exit, and kills it if it does not. */
  stop(): void {
    this.#child.kill();
  }

  /** Kills it immediately. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

function spawn({ python, args, env }: RuntimeCommand) {
  return execa(python, args, {
    env: { ...env, PYTHONDONTWRITEBYTECODE: '1' },
    stdin: 'pipe',
    buffer: false,
    reject: false,
    forceKillAfterDelay: FORCE_KILL_AFTER_MS,
    // Its own process group, so that Ctrl-C in a terminal reaches only us.
    killDescendants: true,
  });
}

async function follow<Line>(
  child: ReturnType<typeof spawn>,
  { schema, log, onLine }: PythonOptions<Line>,
): Promise<PythonEnd> {
  const readStdout = async () => {
    for await (const text of readLines(child.stdout)) {
      const line = parseLine(schema, text);
      if (line === undefined)
        log.warn(
          { line: text.slice(0, MAX_ERROR_CHARACTERS) },
          'unexpected line on stdout of the runtime',
        );
      else onLine(line);
    }
  };
  const readStderr = async () => {
    for await (const text of readLines(child.stderr)) logLine(log, text);
  };
  await Promise.allSettled([readStdout(), readStderr()]);
  const { signal, exitCode, shortMessage } = await child;
  return { signal, exitCode, shortMessage };
}

/** Yields the lines of a stream. Long lines are truncated, which also bounds memory. */
async function* readLines(stream: Readable): AsyncGenerator<string> {
  let line = '';
  for await (const chunk of stream.setEncoding('utf8')) {
    const [first = '', ...others] = String(chunk).split('\n');
    line += first.slice(0, MAX_LINE_CHARACTERS - line.length);
    for (const next of others) {
      yield line;
      line = next.slice(0, MAX_LINE_CHARACTERS);
    }
  }
  if (line !== '') yield line;
}

function parseLine<Line>(schema: z.ZodType<Line>, text: string): Line | undefined {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Our programs log lines of the form `LEVEL logger message`. */
function logLine(log: Logger, text: string): void {
  const [level, ...rest] = text.split(' ');
  switch (level) {
    case 'DEBUG':
    case 'INFO':
      log.debug(rest.join(' '));
      break;
    case 'WARNING':
      log.warn(rest.join(' '));
      break;
    case 'ERROR':
    case 'CRITICAL':
      log.error(rest.join(' '));
      break;
    default:
      log.debug(text);
  }
}

/** A process that serves one model. The supervisor runs at most one at a time. */
export interface RuntimeProcess {
  /** The socket on which it listens once it is ready. */
  readonly socketPath: string;
  /** Resolves with how it ended, after exit and its last line of output. Never rejects. */
  readonly exited: Promise<string>;
  /** Resolves once its files have been removed too. */
  readonly cleanedUp: Promise<void>;
  /** Asks it to exit, and kills it if it does not. */
  stop(): void;
  /** Kills it immediately. */
  kill(): void;
}

export interface LaunchOptions {
  /** Arguments for the socket and the model are appended. */
  command: RuntimeCommand;
  modelPath: string;
  log: Logger;
  onLine: (line: LauncherLine) => void;
}

/**
 * Starts the Python launcher, with a private folder for its socket.
 * @throws when the folder cannot be created
 */
export function launchRuntime({ command, modelPath, log, onLine }: LaunchOptions): RuntimeProcess {
  const folder = createSocketFolder();
  const socketPath = join(folder, 'runtime.sock');
  const args = [...command.args, `--socket=${socketPath}`, `--model=${modelPath}`];
  const schema = LauncherLine;
  const python = new PythonProcess({ command: { ...command, args }, schema, log, onLine });
  const exited = python.ended.then((end) => {
    if (isStarted(end)) return describeEnd(end);
    const message = `The runtime could not be started: ${end.shortMessage}.`;
    onLine({ event: 'fatal', reason: 'launch_failed', message, remedy: 'Run `npm run setup`.' });
    return 'it could not be started';
  });
  const cleanedUp = exited
    .then(() => rm(folder, { recursive: true, force: true }))
    .catch((error: Error) =>
      log.warn({ err: error }, 'could not remove the folder of the runtime'),
    );
  return {
    ...{ socketPath, exited, cleanedUp },
    stop: () => python.stop(),
    kill: () => python.kill(),
  };
}

function createSocketFolder(): string {
  const parent = tmpdir();
  try {
    return mkdtempSync(join(parent, 'sightglass-'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(`The temporary folder ${parent} cannot be used (${code}).`, { cause: error });
  }
}

function isStarted({ signal, exitCode }: PythonEnd): boolean {
  return signal !== undefined || exitCode !== undefined;
}

function describeEnd({ signal, exitCode }: PythonEnd): string {
  return signal === undefined ? `exit code ${exitCode}` : `killed by ${signal}`;
}

/**
 * The command for a program in `resources/runtime`. Uses the Python bundled with the app (`npm run
 * bundle`) if there is one, and otherwise the virtual environment that setup created.
 */
export function createRuntimeCommand(
  resources: URL,
  program: 'launcher' | 'hub' | 'doctor' = 'launcher',
): RuntimeCommand {
  const [bundled, installed, script] = [
    'runtime/python/bin/python3',
    'runtime/.venv/bin/python',
    `runtime/${program}`,
  ].map((path) => fileURLToPath(new URL(path, resources))) as [string, string, string];
  return { python: existsSync(bundled) ? bundled : installed, args: ['-I', '-B', script] };
}

/** The command for the program that inspects and downloads models. */
export function createModelsCommand(resources: URL): RuntimeCommand {
  return createRuntimeCommand(resources, 'hub');
}
