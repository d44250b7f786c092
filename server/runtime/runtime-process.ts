import { execa } from 'execa';
import type { Logger } from 'pino';
import { LauncherLine } from './launcher-line.ts';

/** How the launcher is started; the socket and the model are added to `args`. */
export interface RuntimeCommand {
  python: string;
  args: readonly string[];
  env?: Readonly<Record<string, string>>;
}

export interface RuntimeProcessOptions {
  command: RuntimeCommand;
  socketPath: string;
  modelPath: string;
  log: Logger;
  onLine: (line: LauncherLine) => void;
  onExit: (reason: string) => void;
}

/** After SIGTERM a runtime that is still there is killed. */
const FORCE_KILL_AFTER_MS = 5000;

/**
 * One life of the Python launcher: its lines, its log, its end. It never outlives this process: the
 * launcher exits when its stdin closes, whatever way we went.
 */
export class RuntimeProcess {
  readonly #kill: (signal?: NodeJS.Signals) => void;
  /** Settles, never rejects, once the process is gone and its last line was read. */
  readonly exited: Promise<void>;

  constructor(options: RuntimeProcessOptions) {
    const child = spawn(options);
    this.#kill = (signal) => void (signal === undefined ? child.kill() : child.kill(signal));
    this.exited = follow(child, options);
  }

  /** Asks it to end; it is killed if it does not. */
  stop(): void {
    this.#kill();
  }

  /** Ends it at once, as a crash: for a runtime that hangs. */
  kill(): void {
    this.#kill('SIGKILL');
  }
}

function spawn({ command, socketPath, modelPath }: RuntimeProcessOptions) {
  return execa(
    command.python,
    [...command.args, `--socket=${socketPath}`, `--model=${modelPath}`],
    {
      env: { ...command.env, PYTHONDONTWRITEBYTECODE: '1' },
      stdin: 'pipe',
      buffer: false,
      reject: false,
      forceKillAfterDelay: FORCE_KILL_AFTER_MS,
      // Its own process group: Ctrl-C in a terminal is ours to translate.
      killDescendants: true,
    },
  );
}

async function follow(
  child: ReturnType<typeof spawn>,
  { log, onLine, onExit }: RuntimeProcessOptions,
): Promise<void> {
  const readStdout = async () => {
    for await (const text of child.iterable({ from: 'stdout' })) {
      const line = parseLine(String(text));
      if (line === undefined) log.warn({ line: text }, 'unexpected line on the runtime stdout');
      else onLine(line);
    }
  };
  const readStderr = async () => {
    for await (const text of child.iterable({ from: 'stderr' })) logRuntimeLine(log, String(text));
  };
  await Promise.allSettled([readStdout(), readStderr()]);
  const { signal, exitCode, shortMessage } = await child;
  if (signal !== undefined) onExit(`killed by ${signal}`);
  else if (exitCode !== undefined) onExit(`exit code ${exitCode}`);
  else {
    const message = `The runtime could not be started: ${shortMessage}.`;
    onLine({ event: 'fatal', reason: 'launch_failed', message, remedy: 'Run `npm run setup`.' });
    onExit('it could not be started');
  }
}

function parseLine(text: string): LauncherLine | undefined {
  try {
    return LauncherLine.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** The launcher logs `LEVEL logger message`, one line each. */
function logRuntimeLine(log: Logger, text: string): void {
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
