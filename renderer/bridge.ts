import type {
  Bridge,
  CommandInput,
  CommandName,
  CommandOutput,
  EventName,
  EventPayload,
} from '../server/contract.ts';

declare global {
  interface Window {
    sightglass: Bridge;
  }
}

/** Asks main. @throws Error with what main says of a failure */
export async function call<Name extends CommandName>(
  name: Name,
  ...[input]: CommandInput<Name> extends void ? [] : [CommandInput<Name>]
): Promise<CommandOutput<Name>> {
  const reply = await window.sightglass.call(name, input as CommandInput<Name>);
  if (!reply.ok) throw new Error(reply.message);
  return reply.value;
}

/** Returns the unsubscribe. */
export function on<Name extends EventName>(
  name: Name,
  listener: (payload: EventPayload<Name>) => void,
): () => void {
  return window.sightglass.on(name, listener);
}
