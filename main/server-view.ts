import { networkInterfaces } from 'node:os';
import type { ServerView } from '../server/contract.ts';
import { isLoopback } from '../server/http/foreign-host.ts';
import { reachableUrl } from '../server/http/reachable-url.ts';
import type { Settings } from '../server/settings.ts';

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
