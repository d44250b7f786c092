import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toModelName } from '../../../server/models/names.ts';

const PASTED: readonly [pasted: string, expected: string][] = [
  [' owner/name\n', 'owner/name'],
  ['owner/name/', 'owner/name'],
  ['"owner/name"', 'owner/name'],
  ['“owner/name”', 'owner/name'],
  ['`owner/name`', 'owner/name'],
  ['https://huggingface.co/owner/name', 'owner/name'],
  ['https://huggingface.co/owner/name/tree/main', 'owner/name'],
  ['https://huggingface.co/owner/name/blob/main/config.json', 'owner/name'],
  ['https://huggingface.co/owner/name?library=mlx', 'owner/name'],
  ['huggingface.co/owner/name', 'owner/name'],
  ['https://hf.co/owner/name/', 'owner/name'],
  ['hf.co/owner/name', 'owner/name'],
  ['hf:owner/name', 'owner/name'],
  ["'/models/My Model/'", '/models/My Model'],
  ['file:///models/My%20Model/', '/models/My Model'],
  ['~/models/one/', '/home/me/models/one'],
  ['~', '/home/me'],
  ['/', '/'],
  ['/models/one', '/models/one'],
  ['/models/"odd', '/models/"odd'],
  ['https://example.com/owner/name', 'https://example.com/owner/name'],
];

for (const [pasted, expected] of PASTED) {
  test(`${JSON.stringify(pasted)} names the model ${expected}`, () => {
    assert.equal(toModelName(pasted, '/home/me'), expected);
  });
}
