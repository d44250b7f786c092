import type { Logger } from 'pino';
import { LauncherLine } from './launcher-line.ts';
import { PythonProcess, type RuntimeCommand } from './python-process.ts';

export interface RuntimeProcessOptions {
  /** The socket and the model are added to its arguments. */
  command: RuntimeCommand;
  socketPath: string;
  modelPath: string;
  log: Logger;
  onLine: (line: LauncherLine) => void;
  onExit: (reason: string) => void;
}

/** One life of the Python launcher: its lines, its log, its end. */
export class RuntimeProcess {
  readonly #python: PythonProcess<LauncherLine>;
  /** Settles, never rejects, once the process is gone and its last line was read. */
  readonly exited: Promise<void>;

  constructor(options: RuntimeProcessOptions) {
    const { command, socketPath, modelPath, log, onLine } = options;
    const args = [...command.args, `--socket=${socketPath}`, `--model=${modelPath}`];
    this.#python = new PythonProcess({
      command: { ...command, args },
      schema: LauncherLine,
      log,
      onLine,
    });
    this.exited = this.#tellEnd(options);
  }

  /** Asks it to end; it is killed if it does not. */
  stop(): void {
    this.#python.stop();
  }

  /** Ends it at once, as a crash: for a runtime that hangs. */
  kill(): void {
    this.#python.kill();
  }

  async #tellEnd({ onLine, onExit }: RuntimeProcessOptions): Promise<void> {
    const { signal, exitCode, shortMessage } = await this.#python.ended;
    if (signal !== undefined) onExit(`killed by ${signal}`);
    else if (exitCode !== undefined) onExit(`exit code ${exitCode}`);
    else {
      const message = `The runtime could not be started: ${shortMessage}.`;
      onLine({ event: 'fatal', reason: 'launch_failed', message, remedy: 'Run `npm run setup`.' });
      onExit('it could not be started');
    }
  }
}
