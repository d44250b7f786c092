import { isIPv6 } from 'node:net';
import { isLoopback } from './foreign-host.ts';

const LOOPBACK = ['127.0.0.1', '::1'] as const;
const ALL_IPV4 = '0.0.0.0';
const ALL_IPV6 = '::';

/** The addresses at which clients on this machine may look for a server that listens on `host`. */
export function addressesOf(host: string): readonly string[] {
  const usesLocalhost = host === ALL_IPV4 || host === ALL_IPV6 || isLoopback(host);
  return usesLocalhost ? [...new Set([toLocalAddress(host), ...LOOPBACK])] : [host];
}

/**
 * A URL that is certain to reach a server on `host` and `port` from this machine. Not `localhost`:
 * that name may mean 127.0.0.1 or ::1, and another program may listen on the one that we do not.
 */
export function reachableUrl(host: string, port: number): string {
  const address = toLocalAddress(host);
  return `http://${isIPv6(address) ? `[${address}]` : address}:${port}`;
}

function toLocalAddress(host: string): string {
  if (host === ALL_IPV4) return LOOPBACK[0];
  return host === ALL_IPV6 ? LOOPBACK[1] : host;
}
