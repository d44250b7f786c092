import { z } from 'zod';
import {
  type CommandInput,
  type CommandName,
  type CommandOutput,
  commands,
  type Reply,
} from '../server/contract.ts';

/** What does each command, its input parsed. What it throws is told to the person in its words. */
export type CommandHandlers = {
  [Name in CommandName]: (
    input: CommandInput<Name>,
  ) => CommandOutput<Name> | Promise<CommandOutput<Name>>;
};

/**
 * Answers one command of the panel: its input and its answer are both held to the contract. Never
 * rejects: an error is told in words.
 */
export async function answerCommand(
  handlers: CommandHandlers,
  name: unknown,
  input: unknown,
): Promise<Reply<CommandName>> {
  try {
    const command = z.enum(Object.keys(commands) as [CommandName]).parse(name);
    const handle = handlers[command] as (input: unknown) => unknown;
    const value = await handle(commands[command].input.parse(input));
    return { ok: true, value: commands[command].output.parse(value) };
  } catch (error) {
    const message = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    return { ok: false, message };
  }
}
