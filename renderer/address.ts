import type { Snapshot } from '../server/contract.ts';

/** Where clients find the server, or will once it is on; undefined when that is not known yet. */
export function addressOf({ server, settings }: Pick<Snapshot, 'server' | 'settings'>) {
  if (server.phase === 'on') return server.url;
  return settings.port === 0 ? undefined : `http://127.0.0.1:${settings.port}`;
}
