import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { plural, toDuration, toOutcome, toSize } from '../../../renderer/format.ts';
import { toText, toValue } from '../../../renderer/setting-fields.ts';
import { toSnippets } from '../../../renderer/snippets.ts';

test('durations and sizes are read at a glance', () => {
  assert.deepEqual([0, 840, 2140, 45_000, 60_000, 185_000, 3_600_000, 5_400_000].map(toDuration), [
    '0 ms',
    '840 ms',
    '2.1 s',
    '45 s',
    '1 min',
    '3 min 5 s',
    '1 h',
    '1 h 30 min',
  ]);
  assert.deepEqual([900, 4_400_000, 5_230_000_000].map(toSize), ['1 KB', '4 MB', '5.2 GB']);
});

test('outcomes and counts are named in words', () => {
  assert.deepEqual(['ok', 'client_gone', 'image_too_large', undefined].map(toOutcome), [
    'answered',
    'client left',
    'image too large',
    '',
  ]);
  assert.deepEqual([plural(1, 'request'), plural(2, 'request')], ['1 request', '2 requests']);
});

test('a field tells main a number, a text, or the default', () => {
  const field = (kind: 'number' | 'text' | 'list') => ({ name: 'port', label: '', kind }) as const;
  assert.deepEqual(
    [' 7 ', 'x', ''].map((text) => toValue(field('number'), text)),
    [7, 'x', null],
  );
  assert.deepEqual(toValue(field('text'), '7'), '7');
  assert.deepEqual(toValue(field('list'), ''), []);
  assert.deepEqual([toText(['a', 'b']), toText(undefined), toText(7)], ['a, b', '', '7']);
});

const odd = { url: 'http://localhost:8000', apiKey: `sk-'$(id)"\\`, model: `o'n "m" \\ $x` };
const snippet = (name: string) => {
  const found = toSnippets(odd).find((each) => each.name === name);
  if (found === undefined) throw new Error(`There is no snippet ${name}.`);
  return found.text;
};

test('the curl snippet is one command to a shell, whatever is in the key and the model', () => {
  const words = `${snippet('curl').replace(/^curl/, 'for word in')}; do printf '%s\\0' "$word"; done`;
  const told = execFileSync('sh', ['-c', words], { encoding: 'utf8' }).split('\0');
  assert.ok(told.includes(`Authorization: Bearer ${odd.apiKey}`));
  const body = JSON.parse(told.find((word) => word.startsWith('{')) ?? '');
  assert.deepEqual([body.model, body.messages[0].content.length], [odd.model, 2]);
});

test('the Python and Node snippets hold them as strings', () => {
  for (const name of ['Python', 'Node', 'Anthropic SDK', 'Continue']) {
    assert.ok(snippet(name).includes(JSON.stringify(odd.model)), name);
    assert.ok(snippet(name).includes(JSON.stringify(odd.apiKey)), name);
  }
});
