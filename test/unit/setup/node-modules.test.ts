import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ensureNodeModules, hasNodeModules } from '../../../scripts/setup-node-modules.mjs';
import { SetupError } from '../../../scripts/setup-step.mjs';

const LOCK = { packages: { '': {}, 'node_modules/koa': { version: '3.0.0' } } };
/** What npm does: the packages, their links, and last its own record. */
const { '': _, ...installed } = LOCK.packages;
const INSTALL = `mkdir -p node_modules/.bin node_modules/koa
  echo '{}' > node_modules/koa/package.json
  echo '${JSON.stringify({ packages: installed })}' > node_modules/.package-lock.json`;

/** A checkout without node_modules, and a fake npm that does as the script says. */
function createCheckout(t: TestContext, npm: string) {
  const root = mkdtempSync(join(tmpdir(), 'sightglass-npm-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  };
  write('package-lock.json', JSON.stringify(LOCK));
  write('bin/npm', `#!/bin/sh\necho run >> npm.log\necho "$@" > npm-args\nenv > npm-env\n${npm}\n`);
  chmodSync(join(root, 'bin/npm'), 0o755);
  const PATH = [join(root, 'node_modules/.bin'), join(root, 'bin'), '/usr/bin', '/bin'].join(':');
  return {
    root,
    write,
    ensure: (env = {}) => ensureNodeModules(root, { env: { PATH, ...env } }),
    read: (file: string) => readFileSync(join(root, file), 'utf8'),
    remove: (file: string) => rmSync(join(root, file), { recursive: true }),
  };
}

test('NODE_ENV=production and settings that omit packages or scripts change nothing (C3)', async (t) => {
  const { ensure, read } = createCheckout(t, INSTALL);
  await ensure({ NODE_ENV: 'production', npm_config_registry: 'https://registry.test' });
  const args = read('npm-args').trim().split(' ');
  for (const flag of ['--include=dev', '--include=optional', '--ignore-scripts', '--bin-links']) {
    assert.ok(args.includes(flag), flag);
  }
  assert.doesNotMatch(read('npm-env'), /NODE_ENV/);
  assert.match(read('npm-env'), /npm_config_registry=https:\/\/registry\.test/);
});

test('npm does not run on the Node of the folder that it is about to delete', async (t) => {
  const { ensure, read } = createCheckout(t, INSTALL);
  await ensure();
  assert.doesNotMatch(read('npm-env'), /^PATH=.*node_modules/m);
});

test('an npm that succeeds without installing everything is not recorded as done', async (t) => {
  const { root, ensure } = createCheckout(t, 'mkdir -p node_modules/.bin');
  await assert.rejects(ensure(), SetupError);
  assert.equal(hasNodeModules(root), false);
});

test('an npm that could not write every file, and calls that a success, has failed', async (t) => {
  const warning = 'npm warn tar TAR_ENTRY_ERROR ENOSPC: no space left on device, write';
  const { root, ensure, write } = createCheckout(t, `${INSTALL}\necho '${warning}' >&2`);
  await assert.rejects(ensure(), /TAR_ENTRY_ERROR ENOSPC[\s\S]*the free disk space, then run this/);
  assert.equal(hasNodeModules(root), false);
  write('bin/npm', `#!/bin/sh\n${INSTALL}\necho again > npm.log\n`);
  await ensure();
  assert.equal(hasNodeModules(root), true);
});

test('an npm that fails shows the end of its output and a remedy', async (t) => {
  const { root, ensure } = createCheckout(t, 'echo "npm error network" >&2; exit 1');
  await assert.rejects(ensure(), /npm error network[\s\S]*failed\. Check the network connection/);
  assert.equal(hasNodeModules(root), false);
});

test('a package that disappeared is noticed and installed again', async (t) => {
  const { root, ensure, read, remove } = createCheckout(t, INSTALL);
  await ensure();
  assert.equal(hasNodeModules(root), true);
  remove('node_modules/koa');
  assert.equal(hasNodeModules(root), false);
  await ensure();
  assert.deepEqual([hasNodeModules(root), read('npm.log')], [true, 'run\nrun\n']);
});

test('an `npm install` by hand is accepted', async (t) => {
  const { root, ensure, read, remove } = createCheckout(t, INSTALL);
  await ensure();
  remove('node_modules/.sightglass-setup.json');
  await ensure();
  assert.deepEqual([hasNodeModules(root), read('npm.log')], [true, 'run\n']);
});
