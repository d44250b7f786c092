import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { Settings } from '../../server/settings.ts';

test('the README’s table has every flag of the settings, with its default', async () => {
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  const rows = readme.split('\n').filter((line) => line.startsWith('| `--'));
  const listed = rows.map((row) =>
    row
      .replaceAll('\\|', '/')
      .split('|')
      .map((cell) => cell.trim()),
  );
  const flags = Object.values(Settings.shape).map((schema) => {
    const fallback = schema.safeParse(undefined).data;
    return { flag: String(schema.meta()?.['flag']).replaceAll('|', '/'), fallback };
  });
  assert.deepEqual(
    listed.map(([, flag]) => flag),
    flags.map(({ flag }) => `\`${flag}\``),
  );
  for (const [index, { flag, fallback }] of flags.entries()) {
    const isHosts = flag.startsWith('--host'); // the command line's differs from the app's
    if (isHosts || fallback === undefined || fallback === false || `${fallback}` === '') continue;
    assert.equal(listed[index]?.[2], String(fallback), flag);
  }
});
