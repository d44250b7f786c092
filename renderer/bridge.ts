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

const FAILURE = 'command-failed';

/** Asks main. @throws Error with what main says of a failure */
export async function call<Name extends CommandName>(
  name: Name,
  ...[input]: CommandInput<Name> extends void ? [] : [CommandInput<Name>]
): Promise<CommandOutput<Name>> {
  const reply = await window.sightglass.call(name, input as CommandInput<Name>);
  if (!reply.ok) throw new Error(reply.message);
  return reply.value;
}

/** Lets work go on that nobody waits for; the panel tells what it fails with. */
export function run(work: Promise<unknown>): void {
  work.catch((error: Error) =>
    window.dispatchEvent(new CustomEvent(FAILURE, { detail: error.message })),
  );
}

/** Told what such work failed with. Returns the unsubscribe. */
export function onFailure(listener: (message: string) => void): () => void {
  const tell = (event: Event) => listener((event as CustomEvent<string>).detail);
  window.addEventListener(FAILURE, tell);
  return () => window.removeEventListener(FAILURE, tell);
}

/** Returns the unsubscribe. */
export function on<Name extends EventName>(
  name: Name,
  listener: (payload: EventPayload<Name>) => void,
): () => void {
  return window.sightglass.on(name, listener);
}
