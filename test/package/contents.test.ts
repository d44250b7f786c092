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

// The app that `npm run package` built. On Linux it is based on a skeleton of Electron, so that only
// Electron itself and the signature are missing.

const root = fileURLToPath(new URL('../..', import.meta.url));
const app = join(root, 'out/mac-arm64/Sightglass.app');
const contents = join(app, 'Contents');
const resources = join(contents, 'Resources');
const archive = join(resources, 'app.asar');
let files: string[];
let unpacked: string;
before(async () => {
  if (!existsSync(archive))
    throw new Error('The app has not been packaged. Run `npm run test:package`.');
  files = listPackage(archive, { isPack: false });
  unpacked = await mkdtemp(join(tmpdir(), 'sightglass-package-'));
  extractAll(archive, unpacked);
});
after(() => rm(unpacked, { recursive: true, force: true }));

/** The value of a key in Info.plist. */
async function plistValue(key: string): Promise<string | undefined> {
  const text = await readFile(join(contents, 'Info.plist'), 'utf8');
  return new RegExp(`<key>${key}</key>\\s*<(?:string>([^<]*)|(true|false)/)`)
    .exec(text)
    ?.slice(1)
    .find(Boolean);
}

test('the configuration matches electron-builder’s schema', async () => {
  const config = await readConfiguration();
  await validate(config);
  const misspelled = { ...config, mac: { ...config.mac, hardendRuntime: true } };
  await assert.rejects(validate(misspelled), /configuration\.mac/);
});

test('without a certificate, the app is signed ad hoc after its fuses are set', async () => {
  const { electronFuses, mac } = await readConfiguration();
  assert.deepEqual(
    [electronFuses.resetAdHocDarwinSignature, mac.identity, mac.hardenedRuntime],
    [true, undefined, true],
  );
});

test('code is signed individually, and data is not', async (t) => {
  const { signed, ignored } = await signList(contents, 'Contents');
  const isBundle = (path: string) => /\.(app|framework)$/.test(path);
  const bundles = signed.filter(isBundle);
  const signedFiles = signed.filter((path) => !isBundle(path));
  const data = await filterAsync(signedFiles, async (path) => !(await isCode(path)));
  assert.deepEqual(data, [], 'no data is signed');
  // The target of a link is signed. In the Linux bundle, `.so` files take the place of `.dylib` files.
  const unsigned = await filterAsync(
    ignored,
    async (path) =>
      !(await lstat(path)).isSymbolicLink() && !/\.so\.[\d.]+$/.test(path) && isCode(path),
  );
  assert.deepEqual(unsigned, [], 'no code is left unsigned');
  assert.ok(bundles.some((path) => path.endsWith('Electron Framework.framework')));
  t.diagnostic(`${signed.length} signed, ${ignored.length} binary files covered by the app's seal`);
});

test('the app contains no source maps, tests, type declarations or development dependencies', () => {
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
  const expected = /^\/(dist(\/(main|server|renderer)(\/.*)?)?|package\.json|LICENSE)$/;
  assert.deepEqual(
    ours.filter((file) => !expected.test(file)),
    [],
  );
});

test('only the English locale of Chromium is included', async () => {
  const folder = join(contents, 'Frameworks/Electron Framework.framework/Resources');
  const languages = (await readdir(folder)).filter((name) => name.endsWith('.lproj'));
  assert.ok(languages.includes('en.lproj'));
  assert.deepEqual(
    languages.filter((name) => !name.startsWith('en')),
    [],
  );
});

test('Info.plist describes a menu-bar app for macOS 14', async () => {
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
  assert.equal(await plistValue('algorithm'), 'SHA256', 'the integrity hash of the archive');
});

test('the fuses prevent running the app as Node or with another archive', async () => {
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

test('the only entitlement is the one for the JavaScript compiler', async () => {
  const text = await readFile(join(root, 'resources/build/entitlements.mac.plist'), 'utf8');
  const keys = [...text.matchAll(/<key>(.*)<\/key>/g)].map(([, key]) => key);
  assert.deepEqual(keys, ['com.apple.security.cs.allow-jit']);
});

test('programs are executable, and files are only writable by their owner', async () => {
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

test('the packaged code serves, inspects models and runs the doctor with the packaged runtime', {
  skip: process.platform === 'linux' ? false : 'the macOS workflow starts the app itself',
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
