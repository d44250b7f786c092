import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { lstat, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { extractAll, listPackage } from '@electron/asar';
import { FuseState, FuseV1Options, getCurrentFuseWire } from '@electron/fuses';
import { execa } from 'execa';
import { filterAsync, isCode, readConfiguration, signList, validate } from './signing.ts';

// What `npm run package` has put together: on Linux over a skeleton of Electron, so that all is there
// but Electron itself and the signature.

const root = fileURLToPath(new URL('../..', import.meta.url));
const app = join(root, 'out/mac-arm64/Sightglass.app');
const contents = join(app, 'Contents');
const resources = join(contents, 'Resources');
const archive = join(resources, 'app.asar');
let files: string[];
let unpacked: string;
before(async () => {
  if (!existsSync(archive))
    throw new Error('There is no package; `npm run test:package` makes it.');
  files = listPackage(archive, { isPack: false });
  unpacked = await mkdtemp(join(tmpdir(), 'sightglass-package-'));
  extractAll(archive, unpacked);
});
after(() => rm(unpacked, { recursive: true, force: true }));

/** The value of a key of Info.plist. */
async function plistValue(key: string): Promise<string | undefined> {
  const text = await readFile(join(contents, 'Info.plist'), 'utf8');
  return new RegExp(`<key>${key}</key>\\s*<(?:string>([^<]*)|(true|false)/)`)
    .exec(text)
    ?.slice(1)
    .find(Boolean);
}

test('the configuration is one that electron-builder knows', async () => {
  const config = await readConfiguration();
  await validate(config);
  const misspelt = { ...config, mac: { ...config.mac, hardendRuntime: true } };
  await assert.rejects(validate(misspelt), /configuration\.mac/);
});

test('an app without a certificate is signed ad hoc once its fuses are set', async () => {
  const { electronFuses, mac } = await readConfiguration();
  assert.deepEqual(
    [electronFuses.resetAdHocDarwinSignature, mac.identity, mac.hardenedRuntime],
    [true, undefined, true],
  );
});

test('what is signed one by one is code, and only code', async (t) => {
  const { signed, ignored } = await signList(contents, 'Contents');
  const [bundles, signedFiles] = divide(signed, (path) => /\.(app|framework)$/.test(path));
  const data = await filterAsync(signedFiles, async (path) => !(await isCode(path)));
  assert.deepEqual(data, [], 'no data is signed');
  // A link is signed where it leads. Linux's libraries stand where a Mac has a `.dylib`.
  const forgotten = await filterAsync(
    ignored,
    async (path) =>
      !(await lstat(path)).isSymbolicLink() && !/\.so\.[\d.]+$/.test(path) && isCode(path),
  );
  assert.deepEqual(forgotten, [], 'no code is left out');
  assert.ok(bundles.some((path) => path.endsWith('Electron Framework.framework')));
  t.diagnostic(`${signed.length} signed, ${ignored.length} binary files left to the app's seal`);
});

function divide<T>(items: T[], is: (item: T) => boolean): [T[], T[]] {
  return [items.filter(is), items.filter((item) => !is(item))];
}

test('no source map, test, type or development dependency is inside', () => {
  const unwanted = files.filter((file) =>
    /\.map$|\.d\.[cm]?ts$|\.test\.|\/(tests?|__tests__)\//.test(file),
  );
  assert.deepEqual(unwanted, []);
  for (const name of [
    'typescript',
    'vite',
    'playwright-core',
    '@biomejs',
    'electron',
    'openai',
    'preact',
  ]) {
    assert.ok(!files.some((file) => file.startsWith(`/node_modules/${name}/`)), name);
  }
  const ours = files.filter((file) => !file.startsWith('/node_modules'));
  const known = /^\/(dist(\/(main|server|renderer)(\/.*)?)?|package\.json|LICENSE)$/;
  assert.deepEqual(
    ours.filter((file) => !known.test(file)),
    [],
  );
});

test('Chromium’s texts are included in English only', async () => {
  const folder = join(contents, 'Frameworks/Electron Framework.framework/Resources');
  const languages = (await readdir(folder)).filter((name) => name.endsWith('.lproj'));
  assert.ok(languages.includes('en.lproj'));
  assert.deepEqual(
    languages.filter((name) => !name.startsWith('en')),
    [],
  );
});

test('what macOS reads of it says what it is', async () => {
  const keys = [
    'CFBundleIdentifier',
    'LSUIElement',
    'LSMinimumSystemVersion',
    'LSApplicationCategoryType',
    'CFBundleIconFile',
  ];
  assert.deepEqual(await Promise.all(keys.map(plistValue)), [
    'app.sightglass',
    'true',
    '14.0',
    'public.app-category.developer-tools',
    'icon.icns',
  ]);
  assert.equal(await plistValue('algorithm'), 'SHA256', 'the archive’s integrity');
});

test('the fuses let nobody run it as Node or load another archive', async () => {
  const wire = await getCurrentFuseWire(app);
  const { ENABLE, DISABLE } = FuseState;
  const expected: [FuseV1Options, FuseState][] = [
    [FuseV1Options.RunAsNode, DISABLE],
    [FuseV1Options.EnableCookieEncryption, DISABLE],
    [FuseV1Options.EnableNodeOptionsEnvironmentVariable, DISABLE],
    [FuseV1Options.EnableNodeCliInspectArguments, DISABLE],
    [FuseV1Options.EnableEmbeddedAsarIntegrityValidation, ENABLE],
    [FuseV1Options.OnlyLoadAppFromAsar, ENABLE],
    [FuseV1Options.GrantFileProtocolExtraPrivileges, DISABLE],
  ];
  assert.deepEqual(
    expected.map(([fuse]) => [fuse, wire[fuse]]),
    expected,
  );
});

test('the entitlements are those of a program that compiles JavaScript, and no more', async () => {
  const text = await readFile(join(root, 'resources/build/entitlements.mac.plist'), 'utf8');
  const keys = [...text.matchAll(/<key>(.*)<\/key>/g)].map(([, key]) => key);
  assert.deepEqual(keys, ['com.apple.security.cs.allow-jit']);
});

test('programs may be run, and other files not be written by others', async () => {
  const modes = await Promise.all(
    ['MacOS/Sightglass', 'Resources/runtime/python/bin/python3', 'Resources/app.asar'].map(
      async (file) => (await stat(join(contents, file))).mode & 0o777,
    ),
  );
  assert.deepEqual(
    modes.map((mode) => [mode & 0o111, mode & 0o022]),
    [
      [0o111, 0],
      [0o111, 0],
      [0, 0],
    ],
  );
});

test('its own JavaScript serves, judges and diagnoses with its own runtime', {
  skip: process.platform === 'linux' ? false : 'the macOS workflow launches the app itself',
}, async (t) => {
  const serve = fileURLToPath(new URL('serve-package.mjs', import.meta.url));
  const { stdout } = await execa(process.execPath, [serve, unpacked, resources], {
    timeout: 120_000,
    stderr: 'inherit',
  });
  const { version, doctor, ...served } = JSON.parse(stdout);
  assert.equal(version, JSON.parse(await readFile(join(root, 'package.json'), 'utf8')).version);
  const [mlxVlm, port, fuses] = doctor;
  assert.match(mlxVlm, /^\d+\.\d+\.\d+$/);
  assert.match(port, /^\d+: Sightglass serves there \(ready\)$/);
  assert.equal(fuses, 'all 6 as built');
  assert.deepEqual(served, {
    python: join(resources, 'runtime/python/bin/python3'),
    answer: 'A red circle on a white background.',
    type: 'qwen2_vl',
    suggestsModels: true,
  });
  for (const path of [archive, join(resources, 'runtime'), app]) {
    const { stdout: size } = await execa('du', ['-sm', path]);
    t.diagnostic(`${size.split('\t')[0]} MB: ${relative(root, path)}`);
  }
});
