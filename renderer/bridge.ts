import { useRef, useState } from 'preact/hooks';
import type {
  Bridge,
  CommandInput,
  CommandName,
  CommandOutput,
  EventName,
  EventPayload,
  SettingsChange,
} from '../server/contract.ts';

declare global {
  interface Window {
    sightglass: Bridge;
  }
}

const FAILURE = 'command-failed';

/** Sends a command to the main process. @throws Error with the message of its reply if it fails */
export async function call<Name extends CommandName>(
  name: Name,
  ...[input]: CommandInput<Name> extends void ? [] : [CommandInput<Name>]
): Promise<CommandOutput<Name>> {
  const reply = await window.sightglass.call(name, input as CommandInput<Name>);
  if (!reply.ok) throw new Error(reply.message);
  return reply.value;
}

/** Runs work in the background; the panel shows the error if it fails. */
export function run(work: Promise<unknown>): void {
  work.catch((error: Error) =>
    window.dispatchEvent(new CustomEvent(FAILURE, { detail: error.message })),
  );
}

/** Listens for errors of background work. Returns the unsubscribe. */
export function onFailure(listener: (message: string) => void): () => void {
  const forward = (event: Event) => listener((event as CustomEvent<string>).detail);
  window.addEventListener(FAILURE, forward);
  return () => window.removeEventListener(FAILURE, forward);
}

/** Listens for an event from the main process. Returns the unsubscribe. */
export function on<Name extends EventName>(
  name: Name,
  listener: (payload: EventPayload<Name>) => void,
): () => void {
  return window.sightglass.on(name, listener);
}

/**
 * Runs an action of the user and returns its error, to be shown next to the control. Ignores further
 * clicks while the action is running.
 */
export function useAttempt() {
  const [problem, setProblem] = useState('');
  const isRunning = useRef(false);
  const attempt = (work: () => Promise<unknown>): void => {
    if (isRunning.current) return;
    isRunning.current = true;
    setProblem('');
    work()
      .catch((error: Error) => setProblem(error.message))
      .finally(() => {
        isRunning.current = false;
      });
  };
  return { problem, attempt };
}

export type Applied = Exclude<SettingsChange['applied'], 'no'>;

/** Changes settings, and resolves with how they were applied. @throws Error with every problem found */
export async function changeSettings(changes: Record<string, unknown>): Promise<Applied> {
  const change = await call('changeSettings', changes);
  if (change.applied !== 'no') return change.applied;
  throw new Error(change.problems.map(({ message }) => message).join(' '));
}
