import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressesOf, reachableUrl } from '../../../server/http/server.ts';

for (const [host, url] of [
  ['0.0.0.0', 'http://127.0.0.1:8000'],
  ['127.0.0.1', 'http://127.0.0.1:8000'],
  ['::', 'http://[::1]:8000'],
  ['::1', 'http://[::1]:8000'],
  ['192.0.2.2', 'http://192.0.2.2:8000'],
  ['fe80::1', 'http://[fe80::1]:8000'],
  ['mac.local', 'http://mac.local:8000'],
] as const) {
  test(`a server that listens on ${host} is reachable at ${url}`, () => {
    assert.equal(reachableUrl(host, 8000), url);
  });
}

test('clients reach a server on a network address at that address only', () => {
  assert.deepEqual(addressesOf('192.0.2.2'), ['192.0.2.2']);
});
