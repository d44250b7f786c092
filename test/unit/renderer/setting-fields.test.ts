import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toText, toValue } from '../../../renderer/setting-fields.ts';

test('a field’s text converts to a number, a text, a list, or the default', () => {
  const field = (kind: 'number' | 'text' | 'list') => ({ name: 'port', label: '', kind }) as const;
  assert.deepEqual(
    [' 7 ', 'x', ''].map((text) => toValue(field('number'), text)),
    [7, 'x', null],
  );
  assert.deepEqual(toValue(field('text'), '7'), '7');
  assert.deepEqual(toValue(field('list'), ''), []);
  assert.deepEqual([toText(['a', 'b']), toText(undefined), toText(7)], ['a, b', '', '7']);
});
