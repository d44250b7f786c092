import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { extractAll, listPackage } from '@electron/asar';
import { FuseState, FuseV1Options, getCurrentFuseWire } from '@electron/fuses';
import { execa } from 'execa';

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
  const require = createRequire(import.meta.url);
  const builder = require.resolve('electron-builder');
  const { getConfig, validateConfiguration } = createRequire(builder)(
    'app-builder-lib/out/util/config/config',
  );
  const { DebugLogger } = createRequire(builder)('builder-util');
  process.env['SIGHTGLASS_BUNDLE'] ??= 'linux';
  process.env['GITHUB_REPOSITORY_OWNER'] ??= 'sightglass';
  const config = await getConfig(root, join(root, 'electron-builder.yml'), {});
  await validateConfiguration(config, new DebugLogger(false));
  const misspelt = { ...config, mac: { ...config.mac, hardendRuntime: true } };
  await assert.rejects(
    validateConfiguration(misspelt, new DebugLogger(false)),
    /configuration\.mac/,
  );
});

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
    [FuseV1Options.EnableCookieEncryption, ENABLE],
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

test('its own JavaScript serves and judges the demo model with its own runtime', {
  skip: process.platform === 'linux' ? false : 'the macOS workflow launches the app itself',
}, async (t) => {
  const serve = fileURLToPath(new URL('serve-package.mjs', import.meta.url));
  const { stdout } = await execa(process.execPath, [serve, unpacked, resources], {
    timeout: 120_000,
    stderr: 'inherit',
  });
  assert.deepEqual(JSON.parse(stdout), {
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
