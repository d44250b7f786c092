import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { CommandResult, Machine } from '../../../server/doctor/machine.ts';
import { examine, find, MODEL_LINES, settings } from './examination.ts';
import { answer, fakeMac, fakeResources, probeLines } from './fake-machine.ts';

test('a healthy Mac passes every check that applies', async (t) => {
  const resources = await fakeResources(t, { lines: [...probeLines(), ...MODEL_LINES] });
  const report = await examine({ resources });
  assert.deepEqual(
    report.checks.map(({ name, status }) => [name, status]),
    [
      ['chip', 'ok'],
      ['macos', 'ok'],
      ['memory', 'ok'],
      ['rosetta', 'ok'],
      ['node', 'ok'],
      ['python', 'ok'],
      ['mlx', 'ok'],
      ['gpu', 'ok'],
      ['mlx_vlm', 'ok'],
      ['model', 'ok'],
      ['disk', 'ok'],
      ['port', 'ok'],
      ['other_servers', 'ok'],
      ['signature', 'skipped'],
      ['fuses', 'skipped'],
      ['last_crash', 'ok'],
    ],
  );
  assert.equal(report.healthy, true);
});

const intel = { '/usr/sbin/sysctl -n hw.optional.arm64': answer('', 1) };

/** What is wrong with the machine, the check that notices, what it found, and the remedy. */
const FAULTS: readonly {
  fault: string;
  check: string;
  machine?: Partial<Machine>;
  commands?: Readonly<Record<string, CommandResult>>;
  found: RegExp;
  remedy: RegExp;
}[] = [
  {
    fault: 'an Intel Mac',
    check: 'chip',
    commands: { ...intel, brand_string: answer('Intel(R) Core(TM) i7') },
    found: /^Intel\(R\) Core\(TM\) i7$/,
    remedy: /Mac with an M-series chip/,
  },
  {
    fault: 'Linux on ARM',
    check: 'chip',
    machine: { platform: 'linux' },
    found: /^Linux on arm64$/,
    remedy: /Mac with an M-series chip/,
  },
  {
    fault: 'Windows',
    check: 'chip',
    machine: { platform: 'win32' },
    found: /^win32$/,
    remedy: /Mac with an M-series chip/,
  },
  {
    fault: 'macOS 13',
    check: 'macos',
    commands: { sw_vers: answer('13.6.1\n') },
    found: /^13\.6\.1$/,
    remedy: /macOS 14 or later/,
  },
  {
    fault: 'a Mac without much memory',
    check: 'memory',
    machine: { memoryBytes: 4e9 },
    found: /^4\.0 GB, 28\.9 GB of it for the GPU$/,
    remedy: /smallest models/,
  },
  {
    fault: 'Node under Rosetta',
    check: 'rosetta',
    machine: { arch: 'x64' },
    commands: { proc_translated: answer('1\n') },
    found: /x64 Node runs under Rosetta/,
    remedy: /arm64 Node/,
  },
  {
    fault: 'an old Node',
    check: 'node',
    machine: { nodeVersion: '22.19.1' },
    found: /^22\.19\.1$/,
    remedy: /Node 22\.20 or later/,
  },
  {
    fault: 'a full disk',
    check: 'disk',
    machine: { freeDiskBytes: async () => 1.2e9 },
    found: /^1\.2 GB free for models/,
    remedy: /Free at least 2\.0 GB there, or set HF_HOME/,
  },
  {
    fault: 'a temporary folder that is full',
    check: 'disk',
    machine: { freeDiskBytes: async (folder) => (folder === '/tmp' ? 1e6 : 1e12) },
    found: /^1\.0 MB free for temporary files in \/tmp$/,
    remedy: /Free at least 200 MB there\.$/,
  },
  {
    fault: 'a folder that cannot be written to',
    check: 'disk',
    machine: { isWritable: async (folder) => folder !== '/tmp' },
    found: /^\/tmp cannot be written to$/,
    remedy: /write access to \/tmp/,
  },
  {
    fault: 'a port in use on IPv4',
    check: 'port',
    machine: { acceptsConnections: async (host, port) => host === '127.0.0.1' && port === 8000 },
    found: /^8000 is in use by another program on 127\.0\.0\.1$/,
    remedy: /choose another port/,
  },
  {
    fault: 'a port in use on IPv6 alone',
    check: 'port',
    machine: { acceptsConnections: async (host, port) => host === '::1' && port === 8000 },
    found: /^8000 is in use by another program on ::1$/,
    remedy: /lsof -i :8000/,
  },
];

for (const { fault, check: name, machine, commands, found, remedy } of FAULTS) {
  test(`${fault} is reported with a remedy`, async (t) => {
    const resources = await fakeResources(t);
    const check = await find(name, examine({ resources, machine: fakeMac(machine, commands) }));
    assert.equal(check.status, 'failed');
    assert.match(check.found, found);
    assert.match(check.remedy ?? '', remedy);
  });
}

test('no model chosen is reported with a remedy', async (t) => {
  const unset = { ...settings, modelPath: undefined };
  const check = await find(
    'model',
    examine({ resources: await fakeResources(t), settings: unset }),
  );
  assert.deepEqual([check.status, check.found], ['failed', 'none chosen']);
});

test('folders that cannot be made are reported with the variable that names them', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sightglass-doctor-'));
  t.after(() => rm(folder, { recursive: true }));
  const link = join(folder, 'cache');
  await symlink(join(folder, 'unplugged'), link);
  const resources = await fakeResources(t);
  const disk = (machine: Partial<Machine>) =>
    find('disk', examine({ resources, machine: fakeMac(machine) }));
  const unplugged = await disk({ env: { HF_HOME: link } });
  assert.match(unplugged.found, /models, .*cache\/hub, cannot be used: .*cache does not exist$/);
  assert.match(unplugged.remedy ?? '', /^Connect its disk, or set HF_HOME/);
  const unmounted = await disk({
    env: { HF_HOME: '/nowhere/disk' },
    isWritable: async (each) => each !== '/',
  });
  assert.match(unmounted.found, /^\/nowhere\/disk\/hub does not exist and cannot be created: \//);
  const missing = await disk({ temporaryFolder: join(folder, 'gone') });
  assert.match(missing.remedy ?? '', /set TMPDIR to a folder that exists/);
  const deep = join(folder, 'x'.repeat(120));
  await mkdir(deep);
  const long = await disk({ temporaryFolder: deep });
  assert.match(long.found, /bytes too long for a socket/);
  assert.match(long.remedy ?? '', /shorter path/);
});
