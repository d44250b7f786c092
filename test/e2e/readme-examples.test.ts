import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { execa } from 'execa';
import { createRuntimeCommand } from '../../server/runtime/process.ts';
import { post, textOf } from '../support/chat.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { type RunningService, resources, startService } from '../support/service.ts';

const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');

/** The README's code blocks of this language, in order. */
function codeBlocks(language: string): string[] {
  const blocks = readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'));
  return [...blocks].map(([, code = '']) => code);
}

let running: RunningService;
before(async () => {
  running = await startService();
});
after(() => running.stop());

test('the README’s Python examples run as printed, and print what their comments say', async () => {
  const code = codeBlocks('python').join('\n');
  const expected = [...code.matchAll(/^print\(.*\) {2}# (.*)$/gm)].map(([, comment]) => comment);
  assert.equal(expected.length, 3);
  const { python } = createRuntimeCommand(resources);
  const input = code.replace('http://localhost:8000', running.url);
  assert.notEqual(input, code);
  const { stdout } = await execa(python, ['-'], { input });
  assert.deepEqual(stdout.split('\n'), expected);
});

test('the README’s curl example is answered, with another picture', async () => {
  const example = codeBlocks('bash').find((code) => code.includes('/v1/chat/completions'));
  const body = /-d '(.*)'/s.exec(example ?? '')?.[1] ?? '';
  const url = 'https://example.com/image.jpg';
  assert.ok(body.includes(url));
  const picture = toDataUrl(await drawShape({ shape: 'star', color: 'blue' }), 'image/png');
  const answer = await post(running.url, body.replace(url, picture));
  assert.equal(textOf(answer), 'A blue star on a white background.');
});
