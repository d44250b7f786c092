import { z } from 'zod';
import {
  type CommandInput,
  type CommandName,
  type CommandOutput,
  commands,
  type Reply,
} from '../server/contract.ts';

/** A handler for each command. Input is already parsed; a thrown error's message is shown to the user. */
export type CommandHandlers = {
  [Name in CommandName]: (
    input: CommandInput<Name>,
  ) => CommandOutput<Name> | Promise<CommandOutput<Name>>;
};

/**
 * Handles one command from the panel, and validates its input and output against the contract. Never
 * rejects: errors are returned as a reply with a message.
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
