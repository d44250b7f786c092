import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { OLDEST_SETUP_NODE } from '../../scripts/setup-node-modules.mjs';
import { DOWNLOADED, MINORS } from '../../scripts/setup-python.mjs';
import { Settings } from '../../server/settings.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string) => readFile(join(root, file), 'utf8');
/** The files of a folder and its folders, by their paths in the repository. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map(({ parentPath, name }) => relative(root, join(parentPath, name)));
}
/** The text with line breaks replaced by spaces, so that a phrase is found however it is wrapped. */
const readText = async (file: string) => (await read(file)).replace(/\s+/g, ' ');

test('docs/setup.md names the versions that setup works with, and no page names others', async () => {
  const oldest: string = JSON.parse(await read('package.json')).engines.node.replace('>=', '');
  const pinned = JSON.parse(await read('scripts/node/package.json')).optionalDependencies;
  const [version, ...others] = new Set(Object.values<string>(pinned));
  assert.deepEqual(others, [], 'every platform has the same Node.js');
  const needed = `Node.js ${OLDEST_SETUP_NODE} or newer with its npm (10 to 12)`;
  const text = await readText('docs/setup.md');
  const phrases = [
    needed,
    `is older than ${oldest}`,
    `Node.js ${version}`,
    `Python 3.${MINORS.at(0)} to 3.${MINORS.at(-1)}`,
    `downloads Python ${DOWNLOADED}`,
  ];
  assert.deepEqual(
    phrases.filter((phrase) => !text.includes(phrase)),
    [],
  );
  assert.ok((await readText('README.md')).includes(needed));
  const known = [String(OLDEST_SETUP_NODE), version, `3.${MINORS.at(0)}`, DOWNLOADED];
  for (const file of ['README.md', 'CONTRIBUTING.md', 'docs/setup.md']) {
    const named = (await readText(file)).match(/(?<=\b(?:Node(?:\.js)?|Python) )\d+(?:\.\d+)*/g);
    assert.deepEqual(
      (named ?? []).filter((one) => !known.includes(one)),
      [],
      file,
    );
  }
});

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

test('setup needs no install script of any package', async () => {
  const { packages } = JSON.parse(await read('package-lock.json'));
  const scripts = Object.entries<{ hasInstallScript?: boolean }>(packages).filter(
    ([, entry]) => entry.hasInstallScript === true,
  );
  assert.deepEqual(
    scripts.map(([name]) => name),
    ['node_modules/electron-winstaller'], // which packs for Windows
  );
});

test('docs/settings.md has every flag of the settings, with its default', async () => {
  const page = await read('docs/settings.md');
  const rows = page.split('\n').filter((line) => line.startsWith('| `--'));
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

test('docs/api.md has every error code of the API, and no others', async () => {
  const page = await read('docs/api.md');
  const rows = page.split('\n').filter((line) => /^\| \d{3} \|/.test(line));
  const listed = rows.flatMap((row) => row.split('|')[2]?.match(/(?<=`)\w+(?=`)/g) ?? []);
  const folders = ['http', 'apis', 'generation', 'images'].map((name) => `server/${name}`);
  const files = ['server/errors.ts', ...(await Promise.all(folders.map(filesIn))).flat()];
  const sources = await Promise.all(files.map(read));
  const literals = sources.flatMap(
    (source) => source.match(/(?<=')[a-z]+(?:_[a-z]+)+(?=')/g) ?? [],
  );
  assert.deepEqual(
    listed.filter((code) => !literals.includes(code)),
    [],
  );
  const thrown = sources.flatMap((source) => [
    ...(source.match(/(?<=\bcode: .*')[a-z]+(?:_[a-z]+)+(?=')/g) ?? []),
    ...(source.match(/(?<=^ {4}case ')[a-z_]+(?=':\n {6}(?:return|throw) new \w*Error)/gm) ?? []),
    ...(source.match(/(?<=')image_[a-z_]+(?=',?\n)/g) ?? []),
  ]);
  assert.deepEqual(
    thrown.filter((code) => !page.includes(`\`${code}\``)),
    [],
  );
});

/** The pages that people read, as Markdown. */
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...(await filesIn('docs')).filter((file) => file.endsWith('.md')),
];

/** The id that GitHub gives to a heading. */
function anchorOf(heading: string): string {
  const text = heading.replace(/^#+ /, '').replace(/\[([^\]]*)\]\([^)]*\)/g, '$1');
  return text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');
}

/** The files and anchors that a page refers to, code blocks left out. */
async function linksOf(page: string): Promise<string[]> {
  const text = (await read(page)).replace(/^```.*?^```$/gms, '').replace(/`[^`\n]*`/g, '');
  const links = text.matchAll(/\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"]+)"/g);
  return [...links].map(([, link, source]) => link ?? source ?? '');
}

test('every relative link and anchor of README and docs leads somewhere', async () => {
  const broken: string[] = [];
  for (const page of pages) {
    for (const link of await linksOf(page)) {
      if (/^https?:/.test(link)) continue;
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? page : join(dirname(page), path);
      const headings =
        target.endsWith('.md') && existsSync(join(root, target)) ? await read(target) : '';
      const anchors = (headings.match(/^#+ .*$/gm) ?? []).map(anchorOf);
      const leads =
        existsSync(join(root, target)) && (anchor === undefined || anchors.includes(anchor));
      if (!leads) broken.push(`${page}: ${link}`);
    }
  }
  assert.deepEqual(broken, []);
});

test('every file and folder that a page names exists', async () => {
  const missing: string[] = [];
  for (const page of pages.filter((each) => each !== 'CHANGELOG.md')) {
    const text = await read(page);
    const folders = /`((?:server|main|renderer|test|scripts|docs|bench)\/[\w./-]+)`/g;
    const named = [...text.matchAll(folders)]
      .map(([, path = '']) => path)
      .filter((path) => !path.includes('node_modules'));
    missing.push(
      ...named.filter((path) => !existsSync(join(root, path))).map((path) => `${page}: ${path}`),
    );
  }
  assert.deepEqual(missing, []);
});

test('every page of docs and every screenshot is linked from somewhere', async () => {
  const linked = new Set<string>();
  for (const page of pages) {
    for (const link of await linksOf(page))
      linked.add(join(dirname(page), link.split('#')[0] ?? ''));
  }
  const files = await filesIn('docs');
  assert.deepEqual(
    files.filter((file) => !linked.has(file)),
    [],
  );
});

test('the README is short', async () => {
  const lines = (await read('README.md')).split('\n').length;
  assert.ok(lines < 150, `${lines} lines`);
});
