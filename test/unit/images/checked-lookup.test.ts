import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import type { LookupAddress } from 'node:dns';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { createCheckedLookup, createResolve } from '../../../server/images/address.ts';
import { circlePng } from '../../support/pictures.ts';

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
  test(`${address} is refused even beside a public address`, async () => {
    await assert.rejects(ask(['1.1.1.1', address]), { code: 'image_address_not_allowed' });
    await assert.rejects(ask([address, '1.1.1.1']), { code: 'image_address_not_allowed' });
  });
}

test('a refusal does not reveal the private address of a name', async () => {
  await assert.rejects(ask(['10.1.2.3']), ({ message }: Error) => !message.includes('10.1.2.3'));
});

test('private addresses are accepted when they are allowed', async () => {
  assert.deepEqual(await ask(['10.0.0.1'], { allowPrivate: true }), [
    { address: '10.0.0.1', family: 4 },
  ]);
});

test('a name without addresses is not found', async () => {
  await assert.rejects(ask([]), { code: 'ENOTFOUND' });
});

/** A name server that answers every question with this code and no address, or not at all. */
async function serveNames(t: TestContext, code: number | undefined) {
  const server = createSocket('udp4').bind(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  let asked = 0;
  server.on('message', (question, { address, port }) => {
    asked += 1;
    if (code === undefined) return;
    const answer = Buffer.from(question);
    answer.writeUInt16BE(0x8180 | code, 2);
    server.send(answer, port, address);
  });
  return { servers: [`127.0.0.1:${server.address().port}`], asked: () => asked };
}

test('a silent name server times out without blocking decoders', async (t) => {
  const { servers, asked } = await serveNames(t, undefined);
  const resolve = createResolve(false, { servers, timeoutMs: 500 });
  const names = Array.from({ length: 20 }, (_, at) => resolve(`host${at}.test`));
  const settled = Promise.allSettled(names);
  let isSettled = false;
  void settled.then(() => {
    isSettled = true;
  });
  await circlePng('red');
  assert.equal(isSettled, false);
  for (const name of await settled) {
    assert.equal(name.status === 'rejected' && name.reason.code, 'ETIMEOUT');
  }
  assert.ok(asked() >= 20);
});

test('a name unknown to the name servers is resolved by the system', async (t) => {
  const { servers, asked } = await serveNames(t, 3); // NXDOMAIN
  const found = await createResolve(false, { servers })('localhost');
  assert.ok(found.some(({ address }) => address === '127.0.0.1' || address === '::1'));
  assert.ok(asked() > 0);
});

test('if private addresses are allowed, the system resolves all names', async (t) => {
  const { servers, asked } = await serveNames(t, 3);
  assert.ok((await createResolve(true, { servers })('localhost')).length > 0);
  assert.equal(asked(), 0);
});
