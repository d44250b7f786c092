import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { execa } from 'execa';
import { createRuntimeCommand } from '../../server/runtime/process.ts';
import { post, textOf } from '../support/chat.ts';
import { type RunningService, resources, startService } from '../support/service.ts';

/** The code blocks of a page in this language, in order. */
async function codeBlocks(page: string, language: string): Promise<string[]> {
  const text = await readFile(new URL(`../../${page}`, import.meta.url), 'utf8');
  const blocks = text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'));
  return [...blocks].map(([, code = '']) => code);
}

let running: RunningService;
before(async () => {
  running = await startService();
});
after(() => running.stop());

test('the Python examples of docs/api.md run as printed, and print what their comments say', async () => {
  const code = (await codeBlocks('docs/api.md', 'python')).join('\n');
  const expected = [...code.matchAll(/^print\(.*\) {2}# (.*)$/gm)].map(([, comment]) => comment);
  assert.equal(expected.length, 3);
  const { python } = createRuntimeCommand(resources);
  const input = code.replace('http://localhost:8000', running.url);
  assert.notEqual(input, code);
  const { stdout } = await execa(python, ['-'], { input });
  assert.deepEqual(stdout.split('\n'), expected);
});

test('the README’s curl example gets the answer that the README promises', async () => {
  const blocks = await codeBlocks('README.md', 'bash');
  const example = blocks.find((code) => code.includes('/v1/chat/completions'));
  const body = /-d '(.*)'/s.exec(example ?? '')?.[1] ?? '';
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  const promised = /^The answer is `(.*?)`/m.exec(readme)?.[1];
  assert.equal(textOf(await post(running.url, body)), promised);
});
