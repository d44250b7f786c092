import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ensureRuntime, hasRuntime } from '../../../scripts/setup-runtime.mjs';

const MACHINE = process.arch === 'x64' ? 'x86_64' : process.arch;

/**
 * A checkout and a fake Python 3.11. It creates environments, its pip installs a fake uv, and that
 * installs one package; each appends what it did to a file.
 */
function createCheckout(t: TestContext) {
  const home = mkdtempSync(join(tmpdir(), 'sightglass-runtime-'));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const root = join(home, 'checkout');
  const runtime = join(root, 'resources/runtime');
  mkdirSync(runtime, { recursive: true });
  mkdirSync(join(home, 'bin'));
  for (const name of ['', '-setup', '-dev']) {
    writeFileSync(join(runtime, `requirements${name}.txt`), `lock${name}`);
  }
  for (const name of ['mkdir', 'ln', 'cp', 'chmod', 'touch', 'dirname', 'cat']) {
    const file = ['/bin', '/usr/bin'].map((folder) => join(folder, name)).find(existsSync) ?? name;
    symlinkSync(file, join(home, 'bin', name));
  }
  const write = (file: string, lines: string) =>
    writeFileSync(join(home, file), `#!/bin/sh\n${lines}\n`, { mode: 0o755 });
  const python = join(home, 'bin/python3.11');
  const said = { path: python, version: [3, 11], machine: MACHINE, standard: true, venv: true };
  write('uv', `echo sync >> ${home}/done; touch ${runtime}/.venv/lib/python3.11/site-packages/mlx`);
  write(
    'bin/python3.11',
    `case "$*" in
      *"-m venv"*) echo venv >> ${home}/done
        mkdir -p "$4/bin" "$4/lib/python3.11/site-packages"; ln -s ${python} "$4/bin/python" ;;
      *"pip install"*) echo pip >> ${home}/done; cp ${home}/uv "$(dirname "$0")/uv" ;;
      *get_configuration_files*) echo '[{},{}]' ;;
      *"import mlx"*) [ ! -e ${home}/broken ] ;;
      *) echo '${JSON.stringify(said)}' ;;
    esac`,
  );
  const env = { HOME: home, PATH: join(home, 'bin') };
  return {
    home,
    root,
    runtime,
    python,
    venv: join(runtime, '.venv'),
    ensure: (checkout = root) => ensureRuntime(checkout, { dev: false, env, disk: home }),
    /** What was done since the last call. */
    done() {
      const text = readFileSync(join(home, 'done'), 'utf8').trim().replaceAll('\n', ' ');
      writeFileSync(join(home, 'done'), '');
      return text;
    },
  };
}
const isDone = (root: string) => hasRuntime(root, { dev: false });

test('an environment is created once', async (t) => {
  const { root, ensure, done } = createCheckout(t);
  assert.equal(isDone(root), false);
  await ensure();
  await ensure();
  assert.deepEqual([isDone(root), done()], [true, 'venv pip sync']);
});

test('an environment that fails to import mlx_vlm is not recorded as done, and is created again', async (t) => {
  const { home, root, ensure, done } = createCheckout(t);
  writeFileSync(join(home, 'broken'), '');
  await assert.rejects(ensure(), /Checking the Python runtime failed\. Run this again/);
  assert.deepEqual([isDone(root), done()], [false, 'venv pip sync']);
  rmSync(join(home, 'broken'));
  await ensure();
  assert.deepEqual([isDone(root), done()], [true, 'venv pip sync']);
});

test('an environment that has lost a package is created again', async (t) => {
  const { root, venv, ensure, done } = createCheckout(t);
  await ensure();
  done();
  rmSync(join(venv, 'lib/python3.11/site-packages/mlx'));
  assert.equal(isDone(root), false);
  await ensure();
  assert.deepEqual([isDone(root), done()], [true, 'venv pip sync']);
});

test('a changed lock is installed into the existing environment', async (t) => {
  const { root, runtime, ensure, done } = createCheckout(t);
  await ensure();
  done();
  appendFileSync(join(runtime, 'requirements.txt'), ' changed');
  assert.equal(isDone(root), false);
  await ensure();
  assert.deepEqual([isDone(root), done()], [true, 'sync']);
});

test('an environment whose base Python was patched is tried and kept', async (t) => {
  const { root, python, ensure, done } = createCheckout(t);
  await ensure();
  done();
  utimesSync(python, 1, 1);
  assert.equal(isDone(root), false);
  await ensure();
  assert.deepEqual([isDone(root), done()], [true, 'sync']);
});

test('an environment whose base Python was removed is created again', async (t) => {
  const { home, root, python, ensure, done } = createCheckout(t);
  await ensure();
  done();
  renameSync(python, join(home, 'bin/python3'));
  writeFileSync(
    join(home, 'bin/python3'),
    readFileSync(join(home, 'bin/python3'), 'utf8').replaceAll('bin/python3.11', 'bin/python3'),
  );
  assert.equal(isDone(root), false);
  await ensure();
  assert.deepEqual([isDone(root), done()], [true, 'venv pip sync']);
});
