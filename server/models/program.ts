import type { Logger } from 'pino';
import { z } from 'zod';
import { ModelError, Problem } from '../problem.ts';
import { PythonProcess, type RuntimeCommand } from '../runtime/process.ts';
import { FatalLine } from '../runtime/protocol.ts';

const Bytes = z.number().min(0);

/** The description of a model, read from its folder. Null means that it could not be read. */
export const ModelLine = z.object({
  event: z.literal('model'),
  /** As in the request. */
  model: z.string(),
  /** Its folder. */
  path: z.string(),
  bytes: Bytes,
  weights_bytes: Bytes,
  /** Memory for one running request, in addition to the weights. */
  request_bytes: Bytes.nullable(),
  model_type: z.string().nullable(),
  quantization: z.string().nullable(),
  sees_pictures: z.boolean().nullable(),
  problem: Problem.nullable(),
  /** What limits a model that can be served. */
  note: z.string().nullable(),
});
export type ModelLine = z.infer<typeof ModelLine>;

/** The memory that this machine has for models. */
export const MachineLine = z.object({
  event: z.literal('machine'),
  memory_bytes: Bytes,
  tokens_per_request: z.int(),
});
export type MachineLine = z.infer<typeof MachineLine>;

/** A line on the stdout of `resources/runtime/hub`. */
export const ModelsLine = z.discriminatedUnion('event', [
  MachineLine,
  ModelLine,
  z.object({ event: z.literal('planned'), total_bytes: Bytes, done_bytes: Bytes }),
  z.object({ event: z.literal('progress'), total_bytes: Bytes, done_bytes: Bytes }),
  z.object({
    event: z.literal('waiting'),
    seconds: z.number(),
    reason: z.enum(['network', 'rate_limited']),
  }),
  z.object({ event: z.literal('verifying'), file: z.string() }),
  z.object({ event: z.literal('fetched'), path: z.string() }),
  z.object({ event: z.literal('discarded') }),
  FatalLine,
]);
export type ModelsLine = z.infer<typeof ModelsLine>;

export interface ModelsTask {
  task: 'inspect' | 'fetch' | 'discard';
  /** Sent on its stdin, so that no other process can read a token. */
  request: Readonly<Record<string, unknown>>;
  signal?: AbortSignal | undefined;
  env?: Readonly<Record<string, string>> | undefined;
  onLine: (line: ModelsLine) => void;
}

/** `resources/runtime/hub`, the program that inspects and downloads models. */
export class ModelsProgram {
  readonly #command: RuntimeCommand;
  readonly #log: Logger;

  constructor(command: RuntimeCommand, log: Logger) {
    this.#command = command;
    this.#log = log;
  }

  /**
   * Runs one task in a separate process.
   * @throws ModelError, or the signal's reason once the process has exited
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
    if (fatal !== undefined) throw new ModelError(fatal);
    if (exitCode === 0) return;
    signal?.throwIfAborted();
    throw new ModelError({
      reason: 'ended',
      message: `The process ended early (${killedBy ?? shortMessage ?? `exit code ${exitCode}`}).`,
      remedy: 'Try again. What has been done so far is kept.',
    });
  }
}
