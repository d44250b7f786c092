import assert from 'node:assert/strict';
import type { LookupAddress } from 'node:dns';
import { test } from 'node:test';
import { createCheckedLookup } from '../../../server/images/checked-lookup.ts';

function ask(addresses: string[], { all = true, allowPrivate = false } = {}) {
  const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  const lookup = createCheckedLookup(async () => found, allowPrivate);
  return new Promise<string | LookupAddress[]>((resolve, reject) => {
    lookup('pictures.test', { all }, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}

test('a socket gets all the addresses that were checked', async () => {
  assert.deepEqual(await ask(['1.1.1.1', '2606:4700::1']), [
    { address: '1.1.1.1', family: 4 },
    { address: '2606:4700::1', family: 6 },
  ]);
});

test('a socket that wants one address gets the first', async () => {
  assert.equal(await ask(['1.1.1.1', '8.8.8.8'], { all: false }), '1.1.1.1');
});

for (const address of ['10.0.0.1', '::1', 'fe80::1%en0', '::ffff:192.168.1.1', '169.254.169.254']) {
  test(`one public address does not excuse ${address}`, async () => {
    await assert.rejects(ask(['1.1.1.1', address]), { code: 'image_address_not_allowed' });
    await assert.rejects(ask([address, '1.1.1.1']), { code: 'image_address_not_allowed' });
  });
}

test('a refusal does not tell the private address of a name', async () => {
  await assert.rejects(ask(['10.1.2.3']), ({ message }: Error) => !message.includes('10.1.2.3'));
});

test('private addresses pass when they are allowed', async () => {
  assert.deepEqual(await ask(['10.0.0.1'], { allowPrivate: true }), [
    { address: '10.0.0.1', family: 4 },
  ]);
});

test('a name without addresses is not found', async () => {
  await assert.rejects(ask([]), { code: 'ENOTFOUND' });
});
