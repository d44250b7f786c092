import { networkInterfaces } from 'node:os';
import type { RuntimeView, ServerView, Trouble } from '../server/contract.ts';
import { isLoopback } from '../server/http/guards.ts';
import { reachableUrl } from '../server/http/server.ts';
import type { RuntimePhase } from '../server/runtime/state.ts';
import type { Settings } from '../server/settings.ts';

/** Converts the runtime's state for the panel. */
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

/** A runtime that has crashed or failed. */
export type RuntimeProblem = Extract<RuntimePhase, { phase: 'crashed' | 'failed' }>;

/** Explains a crash or a failure of the runtime. */
export function toTrouble(state: RuntimeProblem): Trouble {
  const at = Date.now();
  if (state.phase === 'failed') {
    const { message, remedy } = state.failure;
    return { at, message, remedy };
  }
  return {
    at,
    message: `The model’s process ended unexpectedly (${state.reason}).`,
    remedy: 'It is restarting. Waiting requests are answered once it is ready.',
  };
}

/** Explains a crash from which the runtime has recovered; undefined after a failure, which is over. */
export function toRecovery(state: RuntimeProblem): Trouble | undefined {
  if (state.phase === 'failed') return undefined;
  return { ...toTrouble(state), remedy: 'It was restarted, and waiting requests were answered.' };
}

/** The addresses at which clients reach a running service. */
export function toServerView(
  { host }: Pick<Settings, 'host'>,
  port: number,
  addresses = externalAddresses(),
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

/** This machine's external IPv4 addresses. */
function externalAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address);
}
