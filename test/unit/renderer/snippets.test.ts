import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import sharp from 'sharp';
import { toSnippets } from '../../../renderer/snippets.ts';

const odd = { url: 'http://localhost:8000', apiKey: `sk-'$(id)"\\`, model: `o'n "m" \\ $x` };
const snippet = (name: string) => {
  const found = toSnippets(odd).find((each) => each.name === name);
  if (found === undefined) throw new Error(`There is no snippet ${name}.`);
  return found.text;
};

test('the curl snippet quotes any key and model for the shell', () => {
  const words = `${snippet('curl').replace(/^curl/, 'for word in')}; do printf '%s\\0' "$word"; done`;
  const args = execFileSync('sh', ['-c', words], { encoding: 'utf8' }).split('\0');
  assert.ok(args.includes(`Authorization: Bearer ${odd.apiKey}`));
  const body = JSON.parse(args.find((word) => word.startsWith('{')) ?? '');
  assert.deepEqual([body.model, body.messages[0].content.length], [odd.model, 2]);
});

test('the other snippets quote any key and model as strings', () => {
  for (const name of ['Python', 'Node', 'Anthropic SDK', 'Continue']) {
    assert.ok(snippet(name).includes(JSON.stringify(odd.model)), name);
    assert.ok(snippet(name).includes(JSON.stringify(odd.apiKey)), name);
  }
});

test('every code snippet contains a valid image', async () => {
  const snippets = toSnippets({ url: 'http://localhost:8000', apiKey: undefined, model: 'm' });
  const pictures = snippets
    .map(({ text }) => /iVBOR[A-Za-z0-9+/]+=*/.exec(text)?.[0])
    .filter((each) => each !== undefined);
  assert.equal(pictures.length, 4);
  for (const picture of pictures) {
    const { format, width } = await sharp(Buffer.from(picture, 'base64')).metadata();
    assert.deepEqual([format, width], ['png', 64]);
  }
});

test('an API key of “not-needed” is sent like any other', () => {
  const curl = (apiKey: string | undefined) =>
    toSnippets({ url: 'http://localhost:8000', apiKey, model: 'm' })[0]?.text ?? '';
  assert.match(curl('not-needed'), /Authorization: Bearer not-needed/);
  assert.doesNotMatch(curl(undefined), /Authorization/);
});
