import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');
const NAT64 = ipaddr.IPv6.parseCIDR('64:ff9b::/96');

/**
 * Whether an IP address belongs to the public internet, by IANA's special-purpose registries.
 *
 * IPv4 inside IPv6 is judged as IPv4 where it is in use: mapped addresses, and NAT64's, which are
 * all that a name has on an IPv6-only network. The forms that are not (IPv4-compatible, 6to4,
 * Teredo) are no public addresses, whatever they hold.
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
