import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { isPublicAddress } from '../../../server/images/address.ts';
import { parseImageUrl } from '../../../server/images/url.ts';

import { imageError } from './picture-server.ts';

// IANA's special-purpose registries and multicast, written down apart from the library's tables.
const BLOCKED_V4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '255.255.255.255/32',
];
const BLOCKED_V6 = [
  '::/128',
  '::1/128',
  '::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/32',
  '2001:2::/48',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
  '5f00::/16',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
];

/** Every address of a block, with random host bits. */
function addressesIn(block: string): fc.Arbitrary<number[]> {
  const [network, prefix] = ipaddr.parseCIDR(block);
  const bytes = network.toByteArray();
  return fc.uint8Array({ minLength: bytes.length, maxLength: bytes.length }).map((host) =>
    bytes.map((byte, at) => {
      const hostMask = 0xff >> Math.min(8, Math.max(0, prefix - at * 8));
      return byte | ((host[at] ?? 0) & hostMask);
    }),
  );
}

const blockedV4 = fc.oneof(...BLOCKED_V4.map(addressesIn));
const hex = (byte: number) => byte.toString(16).padStart(2, '0');
const asInteger = (bytes: number[]) => bytes.reduce((sum, byte) => sum * 256 + byte, 0);

/** The ways in which browsers, and so WHATWG URLs, write an IPv4 address. */
const SPELLINGS: ((bytes: number[]) => string)[] = [
  (bytes) => bytes.join('.'),
  (bytes) => `${bytes.join('.')}.`,
  (bytes) => String(asInteger(bytes)),
  (bytes) => `0x${asInteger(bytes).toString(16)}`,
  (bytes) => `0${asInteger(bytes).toString(8)}`,
  (bytes) => bytes.map((byte) => `0x${hex(byte)}`).join('.'),
  (bytes) => bytes.map((byte) => `0${byte.toString(8)}`).join('.'),
  ([a = 0, b = 0, ...rest]) => `${a}.${b}.${asInteger(rest)}`,
  ([a = 0, ...rest]) => `${a}.${asInteger(rest)}`,
  (bytes) => bytes.join('。'),
  (bytes) => `[::ffff:${bytes.join('.')}]`,
  (bytes) => `[::${bytes.join('.')}]`,
  (bytes) => `[64:ff9b::${bytes.join('.')}]`,
  ([a = 0, b = 0, c = 0, d = 0]) => `[2002:${hex(a)}${hex(b)}:${hex(c)}${hex(d)}::1]`,
  ([a = 0, b = 0, c = 0, d = 0]) =>
    `[2001:0:4136:e378:8000:63bf:${hex(a ^ 255)}${hex(b ^ 255)}:${hex(c ^ 255)}${hex(d ^ 255)}]`,
];

test('an IPv4 address of a special-purpose block is refused in every spelling', () => {
  fc.assert(
    fc.property(blockedV4, fc.constantFrom(...SPELLINGS), (bytes, spell) => {
      assert.throws(
        () => parseImageUrl(`http://${spell(bytes)}/a.png`, false),
        imageError('image_address_not_allowed'),
      );
    }),
    { numRuns: 3000 },
  );
});

test('an IPv6 address of a special-purpose block is refused in short and long form', () => {
  fc.assert(
    fc.property(fc.oneof(...BLOCKED_V6.map(addressesIn)), fc.boolean(), (bytes, short) => {
      const ip = ipaddr.fromByteArray(bytes);
      const host = short ? ip.toString() : ip.toNormalizedString();
      assert.throws(
        () => parseImageUrl(`https://[${host}]:8443/`, false),
        imageError('image_address_not_allowed'),
      );
    }),
    { numRuns: 2000 },
  );
});

for (const host of ['localhost', 'LOCALHOST', 'localhost.', 'a.localhost', '169.254.169.254']) {
  test(`${host} is refused without a lookup`, () => {
    assert.throws(
      () => parseImageUrl(`http://${host}/`, false),
      imageError('image_address_not_allowed'),
    );
  });
}

test('metadata services are not public', () => {
  const services = ['169.254.169.254', 'fd00:ec2::254', '100.100.100.200', '169.254.170.2'];
  assert.deepEqual(services.filter(isPublicAddress), []);
});

test('invalid addresses are not public', () => {
  assert.deepEqual(
    ['', 'example.com', '1.2.3', 'fe80::1%en0', '::1%lo'].filter(isPublicAddress),
    [],
  );
});

test('internet addresses are public, also through NAT64', () => {
  const some = [
    '1.1.1.1',
    '93.184.215.14',
    '172.32.0.1',
    '100.128.0.1',
    '2606:4700:4700::1111',
    '2a00:1450:4001:81b::200e',
    '::ffff:8.8.8.8',
    '64:ff9b::8.8.8.8',
  ];
  assert.deepEqual(some.filter(isPublicAddress), some);
});
