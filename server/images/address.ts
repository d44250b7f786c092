import type { LookupAddress } from 'node:dns';
import { lookup, Resolver } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { ImageError } from './rules.ts';

const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');
const NAT64 = ipaddr.IPv6.parseCIDR('64:ff9b::/96');

/**
 * Whether an IP address belongs to the public internet, by IANA's special-purpose registries.
 *
 * An IPv4 address embedded in IPv6 is checked as IPv4 in the forms that are in use: mapped addresses,
 * and NAT64, which names resolve to on IPv6-only networks. Obsolete forms (IPv4-compatible, 6to4,
 * Teredo) never count as public.
 */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 0) return false;
  const ip = ipaddr.parse(address);
  if (ip instanceof ipaddr.IPv4) return ip.range() === 'unicast';
  if (ip.isIPv4MappedAddress()) return isPublicAddress(ip.toIPv4Address().toString());
  if (ip.match(NAT64)) {
    return isPublicAddress(ipaddr.fromByteArray(ip.toByteArray().slice(-4)).toString());
  }
  return ip.range() === 'unicast' && ip.match(GLOBAL_UNICAST);
}

/** Resolves a host name to all its addresses. */
export type Resolve = (hostname: string) => Promise<readonly LookupAddress[]>;

/**
 * Resolves names as every program on this Mac does, including the hosts file, mDNS and VPNs. Each
 * lookup blocks one of libuv's threads, and only half of those may do lookups.
 */
const resolveAsSystem: Resolve = (hostname) => lookup(hostname, { all: true });

/** Errors for a name that the name servers do not know. The hosts file, for example, may. */
const UNKNOWN_NAME = new Set(['ENOTFOUND', 'ENODATA', 'ECONNREFUSED', 'EBADNAME', 'EBADQUERY']);

/**
 * Queries the name servers without using a thread, so that one that never answers cannot block other
 * lookups. Names that they do not know are resolved by the system. If private addresses are allowed,
 * the system resolves all names, since private ones are in the hosts file and mDNS.
 */
export function createResolve(
  allowPrivate: boolean,
  { servers, timeoutMs = 3000 }: { servers?: readonly string[]; timeoutMs?: number } = {},
): Resolve {
  if (allowPrivate) return resolveAsSystem;
  const resolver = new Resolver({ timeout: timeoutMs, tries: 2 });
  if (servers !== undefined) resolver.setServers(servers);
  return async (hostname) => {
    const [v4, v6] = await Promise.allSettled([
      resolver.resolve4(hostname),
      resolver.resolve6(hostname),
    ]);
    const found = [
      ...(v4.status === 'fulfilled' ? v4.value : []).map((address) => ({ address, family: 4 })),
      ...(v6.status === 'fulfilled' ? v6.value : []).map((address) => ({ address, family: 6 })),
    ];
    if (found.length > 0) return found;
    const failure = v4.status === 'rejected' ? v4.reason : undefined;
    if (failure === undefined || UNKNOWN_NAME.has(failure.code)) return resolveAsSystem(hostname);
    throw failure;
  };
}

/**
 * A `lookup` for sockets. They connect to exactly the addresses that were checked, so the name cannot
 * resolve to another one a moment later (DNS rebinding). If any address is not public, it fails.
 */
export function createCheckedLookup(resolve: Resolve, allowPrivate: boolean): LookupFunction {
  return (hostname, { all }, callback) => {
    resolve(hostname).then(
      (addresses) => {
        const [first] = addresses;
        if (first === undefined) {
          callback(Object.assign(new Error('no address'), { code: 'ENOTFOUND' }), '');
        } else if (!allowPrivate && !addresses.every(({ address }) => isPublicAddress(address))) {
          callback(createAddressError(hostname), '');
        } else if (all) {
          callback(null, [...addresses]);
        } else {
          callback(null, first.address, first.family);
        }
      },
      (error) => callback(error, ''),
    );
  };
}

/** Does not say which address the name resolves to: clients must not learn private addresses. */
export function createAddressError(host: string): ImageError {
  return new ImageError(
    'image_address_not_allowed',
    `Expected the image URL to point to a public address, but ${host} is or resolves to a private, ` +
      'loopback, link-local or reserved one. Send the image as a base64 data URL, or allow private ' +
      'image URLs in the settings (--allow-private-image-urls).',
  );
}
