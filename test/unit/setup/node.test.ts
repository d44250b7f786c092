import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  checkFolder,
  checkMachine,
  ensureNode,
  findFault,
  hasNode,
} from '../../../scripts/setup-node.mjs';
import { SetupError } from '../../../scripts/setup-step.mjs';

/** A checkout in which everything is set up but Node, with a pinned Node that needs no download. */
function createCheckout(t: TestContext) {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'sightglass-node-')));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
    return join(root, file);
  };
  const script = (file: string, lines: string) => {
    chmodSync(write(file, `#!/bin/sh\n${lines}\n`), 0o755);
    return join(root, file);
  };
  write('package.json', JSON.stringify({ type: 'module', engines: { node: '>=22.20' } }));
  write('server/service.ts', 'export const service: number = 1;');
  write('node_modules/sharp/package.json', '{"name":"sharp","main":"index.js"}');
  write('node_modules/sharp/index.js', '');
  mkdirSync(join(root, 'node_modules/.bin'));
  const { platform: os, arch: cpu } = process;
  write(
    'scripts/node/package-lock.json',
    JSON.stringify({
      packages: {
        '': {},
        'node_modules/node-x': { version: '26.0.0', os, cpu, bin: { node: 'node' } },
      },
    }),
  );
  mkdirSync(join(root, 'scripts/node/node_modules/node-x'), { recursive: true });
  symlinkSync(process.execPath, join(root, 'scripts/node/node_modules/node-x/node'));
  // npm writes this last.
  write(
    'scripts/node/node_modules/.package-lock.json',
    JSON.stringify({ packages: { 'node_modules/node-x': { version: '26.0.0' } } }),
  );
  const link = join(root, 'node_modules/.bin/node');
  return {
    root,
    write,
    link,
    /** A fake Node outside the checkout, and so one of the machine's own. */
    machineNode(lines: string) {
      const folder = realpathSync(mkdtempSync(join(tmpdir(), 'sightglass-machine-')));
      t.after(() => rmSync(folder, { recursive: true, force: true }));
      writeFileSync(join(folder, 'node'), `#!/bin/sh\n${lines}\n`, { mode: 0o755 });
      return { execPath: join(folder, 'node'), env: { PATH: folder } };
    },
    script,
  };
}
const PINNED = '../../scripts/node/node_modules/node-x/node';
const OWN = { execPath: process.execPath, env: { PATH: '' } };

test('the installed Node is used when it loads the service, and the pinned one is not installed', async (t) => {
  const { root, link } = createCheckout(t);
  await ensureNode(root, OWN);
  assert.equal(readlinkSync(link), realpathSync(process.execPath));
  assert.equal(hasNode(root), true);
});

const UNFIT: [title: string, lines: string][] = [
  ['is too old', `echo '["20.19.5","${process.arch}",null]'`],
  ['is built for another processor', `echo '["24.1.0","mips","strip"]'`],
  ['does not run TypeScript', `echo '["23.1.0","${process.arch}",false]'`],
  ['does not start', 'echo "dyld: Library not loaded" >&2; exit 134'],
  ['is a shim that prints something else', 'echo "no version is set"'],
  [
    'cannot load the service',
    `if [ "$1" = -p ]; then echo '["24.1.0","${process.arch}","strip"]'; else exit 1; fi`,
  ],
];
for (const [title, lines] of UNFIT) {
  test(`the pinned Node is used when the installed one ${title}`, async (t) => {
    const { root, link, machineNode } = createCheckout(t);
    await ensureNode(root, machineNode(lines));
    assert.equal(readlinkSync(link), PINNED);
    assert.equal(execFileSync(link, ['-p', '1'], { encoding: 'utf8' }), '1\n');
  });
}

test('the Node of PATH is used when setup itself runs on an older one', async (t) => {
  const { root, link, machineNode } = createCheckout(t);
  const { execPath } = machineNode(`echo '["20.19.5","${process.arch}",null]'`);
  await ensureNode(root, { execPath, env: { PATH: dirname(process.execPath) } });
  assert.equal(readlinkSync(link), realpathSync(join(dirname(process.execPath), 'node')));
});

test('without a Node that works nothing is recorded, and each attempt is explained', async (t) => {
  const { root, write, machineNode } = createCheckout(t);
  write('server/service.ts', 'throw new Error("broken install");');
  const machine = machineNode('echo "Illegal instruction" >&2; exit 132');
  writeFileSync(join(machine.env.PATH, 'npm'), '#!/bin/sh\nexit 0\n', { mode: 0o755 });
  await assert.rejects(ensureNode(root, machine), (error: Error) => {
    assert.ok(error instanceof SetupError);
    assert.match(error.message, /machine-\w+\/node: it does not run \(Illegal instruction\)\n/);
    assert.match(error.message, /node-x\/node: it does not run \([\s\S]*broken install/);
    assert.match(error.message, /Install Node\.js 22\.20 or newer/);
    return true;
  });
  assert.equal(hasNode(root), false);
});

test('a dangling link and a replaced binary are noticed', async (t) => {
  const { root, link, machineNode } = createCheckout(t);
  const fine = `exec ${process.execPath} "$@"`;
  const machine = machineNode(fine);
  await ensureNode(root, machine);
  assert.equal(readlinkSync(link), machine.execPath);
  utimesSync(machine.execPath, 1, 1);
  assert.equal(hasNode(root), false);
  rmSync(machine.execPath);
  assert.equal(hasNode(root), false);
  await ensureNode(root, OWN);
  assert.equal(hasNode(root), true);
});

test('a pinned Node of a version that the lock no longer names is noticed', async (t) => {
  const { root, write, machineNode } = createCheckout(t);
  await ensureNode(root, machineNode('exit 1'));
  assert.equal(hasNode(root), true);
  write('scripts/node/package-lock.json', '{"packages":{}}');
  assert.equal(hasNode(root), false);
});

test('a pinned Node that was partly installed, or has another version, is installed again', async (t) => {
  for (const left of ['', '{"packages":{"node_modules/node-x":{"version":"25.0.0"}}}']) {
    const { root, write, machineNode } = createCheckout(t);
    write('scripts/node/node_modules/.package-lock.json', left);
    const machine = machineNode('exit 1');
    const npm = join(machine.env.PATH, 'npm');
    writeFileSync(npm, `#!/bin/sh\necho > ${root}/npm-ran\n`, { mode: 0o755 });
    await ensureNode(root, machine);
    assert.equal(existsSync(join(root, 'npm-ran')), true);
  }
});

test('a Node under Rosetta is refused with the remedy (mac.md 20), and an Intel Mac by name', () => {
  const isTranslated = () => true;
  assert.throws(
    () => checkMachine({ platform: 'darwin', arch: 'x64', isTranslated }),
    /built for Intel and runs under Rosetta.*Install Node\.js for arm64/,
  );
  assert.throws(
    () => checkMachine({ platform: 'darwin', arch: 'x64', isTranslated: () => false }),
    /runs on Macs with an M-series chip.*This is darwin on x64/,
  );
  checkMachine({ platform: 'darwin', arch: 'arm64', isTranslated });
  checkMachine({ platform: 'linux', arch: 'x64', isTranslated });
});

test('versions are compared by number', () => {
  const { arch } = process;
  assert.equal(findFault(['22.20.0', arch, 'strip'], '22.20'), undefined);
  assert.equal(findFault(['100.0.0', arch, 'strip'], '22.20'), undefined);
  assert.equal(findFault(['22.9.0', arch, 'strip'], '22.20'), 'version 22.9.0 is older than 22.20');
});

test('a folder with a colon in its path is refused before anything is installed', () => {
  assert.doesNotThrow(() => checkFolder('/Users/anna/a b\'"$x ü%20#?&;(1)/'));
  assert.throws(() => checkFolder('/Users/anna/cs194:294/sightglass/'), {
    constructor: SetupError,
    message: /contains “:”.*Rename or move the folder/s,
  });
});

test('a Node that first prints an extra line is used', async (t) => {
  const { root, link, machineNode } = createCheckout(t);
  const machine = machineNode(`echo 'Loading company settings'; exec ${process.execPath} "$@"`);
  await ensureNode(root, machine);
  assert.equal(readlinkSync(link), machine.execPath);
});

test('a Node in a folder of another user is replaced', (t) => {
  const { root, link } = createCheckout(t);
  symlinkSync('node', link); // a loop fails as a closed folder does, for root too
  assert.equal(hasNode(root), false);
});
