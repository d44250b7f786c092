import type { Logger } from 'pino';
import { PythonProcess, type RuntimeCommand } from '../runtime/python-process.ts';
import { RuntimeFailedError } from '../runtime/runtime-errors.ts';
import { ModelsLine } from './models-line.ts';

export interface ModelsTask {
  task: 'inspect' | 'fetch' | 'discard';
  /** Sent on its stdin, where nobody else can read a token. */
  request: Readonly<Record<string, unknown>>;
  signal?: AbortSignal | undefined;
  env?: Readonly<Record<string, string>> | undefined;
  onLine: (line: ModelsLine) => void;
}

/** `resources/runtime/models`, the program that judges models and downloads them. */
export class ModelsProgram {
  readonly #command: RuntimeCommand;
  readonly #log: Logger;

  constructor(command: RuntimeCommand, log: Logger) {
    this.#command = command;
    this.#log = log;
  }

  /**
   * Has it do one thing, in a process of its own.
   * @throws RuntimeFailedError with its reason, or the signal's reason once the process is gone
   */
  async run({ task, request, signal, env, onLine }: ModelsTask): Promise<void> {
    signal?.throwIfAborted();
    const { python, args } = this.#command;
    let fatal: Extract<ModelsLine, { event: 'fatal' }> | undefined;
    const child = new PythonProcess({
      command: { python, args: [...args, task], env: { ...this.#command.env, ...env } },
      schema: ModelsLine,
      log: this.#log,
      onLine: (line) => {
        if (line.event === 'fatal') fatal = line;
        else onLine(line);
      },
    });
    const stop = () => child.stop();
    signal?.addEventListener('abort', stop);
    child.write(JSON.stringify(request));
    const { exitCode, signal: killedBy, shortMessage } = await child.ended;
    signal?.removeEventListener('abort', stop);
    if (fatal !== undefined) throw new RuntimeFailedError(fatal);
    if (exitCode === 0) return;
    signal?.throwIfAborted();
    throw new RuntimeFailedError({
      reason: 'ended',
      message: `Its process ended early (${killedBy ?? shortMessage ?? `exit code ${exitCode}`}).`,
      remedy: 'Try again; nothing that was done is lost.',
    });
  }
}
