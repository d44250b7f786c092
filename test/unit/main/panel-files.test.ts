import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPanelUrl, toPanelFile } from '../../../main/panel.ts';

const folder = '/app/renderer';

test('a panel URL maps to a file in the panel’s folder', () => {
  const file = toPanelFile('app://panel/assets/index.js?x#y', folder);
  assert.equal(file, '/app/renderer/assets/index.js');
});

for (const url of [
  'app://panel/../main/index.js',
  'app://panel/%2e%2e/main/index.js',
  'app://panel/%2e%2e%2fmain/index.js',
  'app://panel/..%5cmain',
  'app://other/index.html',
  'app://panel/',
  'https://panel/index.html',
]) {
  test(`${url} does not escape the panel’s folder`, () => {
    const file = toPanelFile(url, folder);
    assert.ok(file === undefined || file.startsWith(`${folder}/`), file);
  });
}

test('only the panel’s scheme and host are accepted', () => {
  const urls = ['app://panel/index.html', 'app://panel.evil/', 'file:///x', 'http://panel/'];
  assert.deepEqual(urls.map(isPanelUrl), [true, false, false, false]);
});
