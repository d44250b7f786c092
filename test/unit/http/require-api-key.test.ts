import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apiKeysOf } from '../../../server/http/guards.ts';

const spellings: [string, Record<string, string>, string[]][] = [
  ['Bearer', { authorization: 'Bearer secret' }, ['secret']],
  ['bearer in lower case', { authorization: 'bearer secret' }, ['secret']],
  ['BEARER with spaces', { authorization: 'BEARER   secret  ' }, ['secret']],
  ['x-api-key', { 'x-api-key': 'secret' }, ['secret']],
  ['Basic', { authorization: 'Basic secret' }, []],
  ['Bearer without a key', { authorization: 'Bearer' }, []],
  ['two keys', { authorization: 'Bearer a b' }, []],
  ['Basic and x-api-key', { authorization: 'Basic x', 'x-api-key': 'secret' }, ['secret']],
  ['api-key (Azure)', { 'api-key': 'secret' }, ['secret']],
  [
    'x-api-key and a placeholder',
    { authorization: 'Bearer x', 'x-api-key': 'secret' },
    ['x', 'secret'],
  ],
  ['nothing', {}, []],
];
for (const [what, headers, keys] of spellings) {
  test(`the keys in ${what} are ${keys.length === 0 ? 'none' : keys.join(' and ')}`, () => {
    assert.deepEqual(apiKeysOf(headers), keys);
  });
}
