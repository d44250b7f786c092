import { networkInterfaces } from 'node:os';
import type { RuntimeView, ServerView, Trouble } from '../server/contract.ts';
import { isLoopback } from '../server/http/guards.ts';
import { reachableUrl } from '../server/http/server.ts';
import type { RuntimePhase } from '../server/runtime/state.ts';

import type { Settings } from '../server/settings.ts';

/** The state of the runtime, as the panel shows it. */
export function toRuntimeView(state: RuntimePhase): RuntimeView {
  switch (state.phase) {
    case 'ready':
      return {
        phase: 'ready',
        loadSeconds: state.model.load_seconds,
        memoryBytes: state.memoryBytes,
      };
    case 'draining':
      return { phase: 'stopping' };
    case 'crashed':
      return { phase: 'crashed', trouble: toTrouble(state) };
    case 'failed':
      return { phase: 'failed', trouble: toTrouble(state) };
    default:
      return { phase: state.phase };
  }
}

export type Ailment = Extract<RuntimePhase, { phase: 'crashed' | 'failed' }>;

/** A runtime that has crashed or failed, in words. */
export function toTrouble(state: Ailment): Trouble {
  const at = Date.now();
  if (state.phase === 'failed') {
    const { message, remedy } = state.failure;
    return { at, message, remedy };
  }
  return {
    at,
    message: `The model’s process ended unexpectedly (${state.reason}).`,
    remedy: 'It is being started again; what waited is answered then.',
  };
}

/** What is left to say of it once the runtime is ready again: a crash that nobody saw, no failure. */
export function toRecovery(state: Ailment): Trouble | undefined {
  if (state.phase === 'failed') return undefined;
  return { ...toTrouble(state), remedy: 'It was started again, and what waited was answered.' };
}

/** Where clients find a service that is on. */
export function toServerView(
  { host }: Pick<Settings, 'host'>,
  port: number,
  addresses = networkAddresses(),
): ServerView {
  const isAny = host === '0.0.0.0' || host === '::';
  const [address] = isAny ? addresses : [host];
  return {
    phase: 'on',
    url: reachableUrl(host, port),
    ...(isLoopback(host) || address === undefined
      ? {}
      : { networkUrl: `http://${address}:${port}` }),
  };
}

/** This machine's addresses on its networks, version 4. */
function networkAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address);
}
