import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { OLDEST_SETUP_NODE } from '../../scripts/setup-node-modules.mjs';
import { DOWNLOADED, MINORS } from '../../scripts/setup-python.mjs';
import { Settings } from '../../server/settings.ts';

const read = (file: string) => readFile(new URL(`../../${file}`, import.meta.url), 'utf8');
/** The text with line ends and emphasis taken away, so that a phrase is found however it is wrapped. */
const readText = async (file: string) => (await read(file)).replace(/\s+/g, ' ');

for (const file of ['README.md', 'CONTRIBUTING.md']) {
  test(`${file} names the versions that setup works with, and no others`, async () => {
    const oldest: string = JSON.parse(await read('package.json')).engines.node.replace('>=', '');
    const pinned = JSON.parse(await read('scripts/node/package.json')).optionalDependencies;
    const [version, ...others] = new Set(Object.values<string>(pinned));
    assert.deepEqual(others, [], 'every platform has the same Node.js');
    const text = await readText(file);
    const phrases = [
      `Node.js ${OLDEST_SETUP_NODE} or newer with its npm (10 to 12)`,
      `is older than ${oldest}`,
      `Node.js ${version}`,
      `Python 3.${MINORS.at(0)} to 3.${MINORS.at(-1)}`,
      `downloads Python ${DOWNLOADED}`,
    ];
    assert.deepEqual(
      phrases.filter((phrase) => !text.includes(phrase)),
      [],
    );
    const named = text.match(/(?<=\b(?:Node(?:\.js)?|Python) )\d+(?:\.\d+)*/g) ?? [];
    const known = [String(OLDEST_SETUP_NODE), version, `3.${MINORS.at(0)}`, DOWNLOADED];
    assert.deepEqual(
      named.filter((one) => !known.includes(one)),
      [],
    );
  });
}

test('the Pythons of setup are those of the runtime’s lock, and the pinned Node is locked', async () => {
  const project = await read('resources/runtime/pyproject.toml');
  const range = `>=3.${MINORS.at(0)},<3.${Number(MINORS.at(-1)) + 1}`;
  assert.equal(/requires-python = "(.*)"/.exec(project)?.[1], range);
  assert.ok(MINORS.includes(Number(DOWNLOADED.split('.')[1])));
  const wanted = JSON.parse(await read('scripts/node/package.json')).optionalDependencies;
  const { packages } = JSON.parse(await read('scripts/node/package-lock.json'));
  const locked = Object.keys(wanted).map((name) => [name, packages[`node_modules/${name}`]]);
  assert.deepEqual(
    locked.map(([name, { version, integrity }]) => [name, version, integrity.slice(0, 7)]),
    Object.entries(wanted).map(([name, version]) => [name, version, 'sha512-']),
  );
});

test('setup needs no package’s install script: all that have one are of no use here', async () => {
  const { packages } = JSON.parse(await read('package-lock.json'));
  const scripts = Object.entries<{ hasInstallScript?: boolean }>(packages).filter(
    ([, entry]) => entry.hasInstallScript === true,
  );
  assert.deepEqual(
    scripts.map(([name]) => name),
    ['node_modules/electron-winstaller'], // which packs for Windows
  );
});

test('the README’s table has every flag of the settings, with its default', async () => {
  const readme = await read('README.md');
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
