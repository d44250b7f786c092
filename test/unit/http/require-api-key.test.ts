import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apiKeyOf } from '../../../server/http/require-api-key.ts';

const spellings: [string, Record<string, string>, string][] = [
  ['Bearer', { authorization: 'Bearer secret' }, 'secret'],
  ['bearer in lower case', { authorization: 'bearer secret' }, 'secret'],
  ['BEARER with blanks', { authorization: 'BEARER   secret  ' }, 'secret'],
  ['x-api-key', { 'x-api-key': 'secret' }, 'secret'],
  ['Basic', { authorization: 'Basic secret' }, ''],
  ['Bearer without a key', { authorization: 'Bearer' }, ''],
  ['two keys', { authorization: 'Bearer a b' }, ''],
  ['Basic beside x-api-key', { authorization: 'Basic x', 'x-api-key': 'secret' }, 'secret'],
  ['nothing', {}, ''],
];
for (const [what, headers, key] of spellings) {
  test(`the key in ${what} is ${key === '' ? 'none' : `"${key}"`}`, () => {
    assert.equal(apiKeyOf(headers), key);
  });
}
