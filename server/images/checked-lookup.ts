import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import { ImageError } from './image-error.ts';
import { isPublicAddress } from './public-address.ts';

/** Finds every address of a host. */
export type Resolve = (hostname: string) => Promise<readonly LookupAddress[]>;

/** As every program on this Mac resolves names: the hosts file, mDNS and VPNs included. */
export const resolveAsSystem: Resolve = (hostname) => lookup(hostname, { all: true });

/**
 * The `lookup` of a socket: it connects to the very addresses that were checked, so a name cannot
 * point elsewhere a moment later (DNS rebinding). One address that is not public refuses the name.
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

/** The answer does not tell which address a name has: that is not for every client to know. */
export function createAddressError(host: string): ImageError {
  return new ImageError(
    'image_address_not_allowed',
    `Expected the image URL to lead to a public address, but ${host} is or resolves to a private, ` +
      'loopback, link-local or reserved one. Send the image as a base64 data URL, or allow ' +
      'private image URLs in the settings.',
  );
}
