import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { checkMacos, choosePython, ensurePython, explain } from '../../../scripts/setup-python.mjs';

const COMPLETE = { machine: 'arm64', standard: true, pip: true, venv: true };

/** A home folder with fake interpreters: shell scripts that describe themselves as Pythons do. */
function createMachine(t: TestContext, platform = 'linux') {
  const home = mkdtempSync(join(tmpdir(), 'sightglass-pythons-'));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const env: Record<string, string> = { HOME: home, PATH: join(home, 'bin') };
  const install = (file: string, script: string) => {
    mkdirSync(dirname(join(home, file)), { recursive: true });
    writeFileSync(join(home, file), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  };
  return {
    home,
    env,
    install,
    python(file: string, minor: number, facts: Partial<typeof COMPLETE> = {}) {
      const said = { path: join(home, file), version: [3, minor], ...COMPLETE, ...facts };
      install(file, `echo '${JSON.stringify(said)}'`);
    },
    choose() {
      const downloads = join(home, 'downloads');
      const choice = choosePython({ env, platform, arch: 'arm64', downloads, disk: home });
      return { ...choice, path: choice.path?.replace(`${home}/`, '') };
    },
    explain() {
      const { seen, machine } = choosePython({
        env,
        platform,
        arch: 'arm64',
        downloads: join(home, 'downloads'),
        disk: home,
      });
      return explain({ seen, machine, platform }).replaceAll(`${home}/`, '');
    },
  };
}

/** A folder with what the fake programs need, and without the machine's own Pythons. */
function tools(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sightglass-tools-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ['mkdir', 'cp', 'chmod', 'dirname']) {
    const file = ['/bin', '/usr/bin'].map((place) => join(place, name)).find(existsSync) ?? name;
    symlinkSync(file, join(folder, name));
  }
  return folder;
}

test('a Python that the lock covers is taken from PATH, whatever python3 is', (t) => {
  const machine = createMachine(t);
  machine.python('bin/python3', 14);
  machine.python('bin/python3.13', 13);
  assert.equal(machine.choose().path, 'bin/python3.13');
});

const PLACES: [title: string, file: string, env?: Record<string, string>][] = [
  ['a pyenv version that is not activated', '.pyenv/versions/3.12.4/bin/python3.12'],
  ['a pyenv elsewhere', 'elsewhere/versions/3.11.9/bin/python3.11', { PYENV_ROOT: 'elsewhere' }],
  [
    'a Homebrew keg that is not linked',
    'brew/opt/python@3.13/bin/python3.13',
    {
      HOMEBREW_PREFIX: 'brew',
    },
  ],
  ['a Python that uv manages', '.local/share/uv/python/cpython-3.12.7-macos/bin/python3.12'],
  ['a Python of asdf', '.asdf/installs/python/3.12.1/bin/python3.12'],
  ['a Python of mise', '.local/share/mise/installs/python/3.11.8/bin/python3.11'],
  ['the Python that setup downloaded earlier', 'downloads/cpython-3.12.11-linux/bin/python3.12'],
];
for (const [title, file, places = {}] of PLACES) {
  test(`${title} is found`, (t) => {
    const machine = createMachine(t);
    machine.install('bin/python3.12', 'echo "pyenv: python3.12: command not found" >&2; exit 127');
    machine.python('bin/python3', 14);
    for (const [name, folder] of Object.entries(places)) {
      machine.env[name] = join(machine.env['HOME'] ?? '', folder);
    }
    machine.python(file, Number(/3\.(\d+)/.exec(file.split('bin/')[1] ?? '')?.[1]));
    assert.equal(machine.choose().path, file);
  });
}

for (const file of [
  'opt/homebrew/bin/python3.12',
  'opt/homebrew/opt/python@3.12/bin/python3.12',
  'Library/Frameworks/Python.framework/Versions/3.12/bin/python3.12',
  'opt/local/bin/python3.12',
  'usr/local/bin/python3.12',
]) {
  test(`on a Mac, /${file} is found without being on PATH`, (t) => {
    const machine = createMachine(t, 'darwin');
    machine.python('bin/python3', 14);
    machine.python(file, 12);
    assert.equal(machine.choose().path, file);
  });
}

test('a shim that fails, prints something else or prints nothing is skipped', (t) => {
  const machine = createMachine(t);
  machine.install('bin/python3.11', 'exit 1');
  machine.install('bin/python3.12', 'echo "No version is set for command python3.12"');
  machine.install('bin/python3.13', ':');
  machine.python('bin/python3', 12);
  assert.equal(machine.choose().path, 'bin/python3');
});

test('PyPy, free-threaded builds and Pythons without venv are skipped', (t) => {
  const machine = createMachine(t);
  machine.python('bin/python3.11', 11, { standard: false });
  machine.python('bin/python3.12', 12, { venv: false });
  machine.python('bin/python3.13', 13);
  assert.equal(machine.choose().path, 'bin/python3.13');
});

test('an Intel Python under Rosetta is refused by name', (t) => {
  const machine = createMachine(t, 'darwin');
  machine.python('bin/python3.11', 11, { machine: 'x86_64' });
  assert.equal(machine.choose().path, undefined);
  assert.match(
    machine.explain(),
    /^bin\/python3\.11 is not a native Python: it is built for x86_64, but this machine is arm64\. Install it with `brew install python@3\.12`/,
  );
});

test('a Python that is too new or too old is named together with the supported versions', (t) => {
  const machine = createMachine(t);
  machine.python('bin/python3', 9);
  machine.env['PATH'] += `:${machine.home}/opt`;
  machine.python('opt/python3.14', 14);
  assert.equal(machine.choose().path, undefined);
  assert.match(
    machine.explain(),
    /^Sightglass needs Python 3\.11 to 3\.13, but found only 3\.9 at bin\/python3, 3\.14 at opt\/python3\.14\. Install it with `sudo apt install/,
  );
});

test('without any Python, the error says so', (t) => {
  assert.match(createMachine(t).explain(), /needs Python 3\.11 to 3\.13, but found none\. Install/);
});

test('a Python without venv is named together with the missing package', (t) => {
  const machine = createMachine(t);
  machine.python('bin/python3', 11, { venv: false });
  assert.match(
    machine.explain(),
    /^bin\/python3 cannot create virtual environments\. .*python3-venv/,
  );
});

const HERE = { machine: process.arch === 'x64' ? 'x86_64' : process.arch };
/** A fake uv that "downloads" a Python into the given folder. */
const UV = `[ "$1" = --version ] && exit 0
  [ "$*" = "python install 3.12" ] || exit 2
  bin="$UV_PYTHON_INSTALL_DIR/cpython-3.12.9-any/bin"; mkdir -p "$bin"
  echo '#!/bin/sh' > "$bin/python3.12"
  echo "echo '{\\"path\\":\\"$bin/python3.12\\",\\"version\\":[3,12],\\"machine\\":\\"${HERE.machine}\\",\\"standard\\":true,\\"venv\\":true}'" >> "$bin/python3.12"
  chmod +x "$bin/python3.12"`;

test('without a usable Python, the uv of PATH downloads one for this folder', async (t) => {
  const machine = createMachine(t);
  machine.env['PATH'] += `:${tools(t)}`;
  machine.install('bin/uv', UV);
  const python = await ensurePython(machine.home, { env: machine.env, disk: machine.home });
  const own = 'resources/runtime/.setup/python/cpython-3.12.9-any/bin/python3.12';
  assert.equal(python, join(machine.home, own));
});

test('without uv either, a Python 3.14 installs the pinned uv into a private folder', async (t) => {
  const machine = createMachine(t);
  const said = {
    path: join(machine.home, 'bin/python3.14'),
    version: [3, 14],
    ...COMPLETE,
    ...HERE,
  };
  // It creates an environment whose Python installs uv, when asked for the locked one.
  machine.install('uv', UV);
  machine.install(
    'pip',
    `case "$*" in *requirements-setup.txt) cp ${machine.home}/uv "$(dirname "$0")/uv";; *) echo '[{},{}]';; esac`,
  );
  machine.install(
    'bin/python3.14',
    `case "$*" in *"-m venv"*) mkdir -p "$4/bin"; cp ${machine.home}/pip "$4/bin/python";;
     *get_configuration_files*) echo '[{},{}]';; *) echo '${JSON.stringify(said)}';; esac`,
  );
  machine.env['PATH'] += `:${tools(t)}`;
  const python = await ensurePython(machine.home, { env: machine.env, disk: machine.home });
  assert.match(python, /\.setup\/python\/cpython-3\.12\.9-any/);
});

test('a failed download is explained, with other ways to get a Python', async (t) => {
  const machine = createMachine(t);
  machine.env['PATH'] += `:${tools(t)}`;
  machine.install('bin/uv', '[ "$1" = --version ] && exit 0; echo "error: no network" >&2; exit 1');
  await assert.rejects(
    ensurePython(machine.home, { env: machine.env, disk: machine.home }),
    /error: no network[\s\S]*UV_PYTHON_INSTALL_MIRROR[\s\S]*needs Python 3\.11 to 3\.13/,
  );
});

test('a macOS that MLX has no wheels for is refused', () => {
  assert.throws(() => checkMacos({ platform: 'darwin', release: '22.6.0' }), /macOS 14 or newer/);
  checkMacos({ platform: 'darwin', release: '23.0.0' });
  checkMacos({ platform: 'linux', release: '6.1.0' });
});

test('a Python that first prints an extra line is used', (t) => {
  const machine = createMachine(t);
  machine.python('bin/real', 12);
  machine.install('bin/python3.12', `echo 'Welcome to the company'; exec ${machine.home}/bin/real`);
  assert.equal(machine.choose().path, 'bin/real');
});

test('a shim that prints other JSON is not used as a Python', (t) => {
  const machine = createMachine(t);
  machine.install('bin/python3.12', 'echo 3');
  machine.python('bin/python3.11', 11);
  assert.equal(machine.choose().path, 'bin/python3.11');
});

test('a version manager whose folder cannot be listed is skipped', (t) => {
  const machine = createMachine(t);
  machine.install('.pyenv/versions', ''); // a file, which fails as a folder of another user does
  machine.python('bin/python3.12', 12);
  assert.equal(machine.choose().path, 'bin/python3.12');
});
