import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFile,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { FuseV1Options, FuseVersion, flipFuses } from '@electron/fuses';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { execa } from 'execa';
import { pino } from 'pino';
import { writeSkeleton } from '../../../scripts/package/skeleton.ts';
import type { Check } from '../../../server/doctor/check.ts';
import {
  type DoctorOptions,
  type DoctorReport,
  diagnose,
  doctorSchema,
  toText,
} from '../../../server/doctor/doctor.ts';
import { OLDEST_NODE } from '../../../server/doctor/host-checks.ts';
import { type CommandResult, type Machine, thisMachine } from '../../../server/doctor/machine.ts';
import { answer, fakeMac, fakeResources, probeLines } from './fake-machine.ts';

const own = new URL('../../../resources/', import.meta.url);
const demo = fileURLToPath(new URL('models/demo', own));
const settings = { modelPath: demo, host: '127.0.0.1', port: 8000, maxConcurrency: 1 };
const log = pino({ level: 'silent' });
const MODEL_LINES = [
  { event: 'machine', memory_bytes: 28.9e9, tokens_per_request: 8192 },
  {
    event: 'model',
    model: demo,
    path: demo,
    bytes: 4e6,
    weights_bytes: 4e6,
    request_bytes: 4e6,
    model_type: 'qwen2_vl',
    quantization: null,
    sees_pictures: true,
    problem: null,
  },
];

function examine(options: Partial<DoctorOptions> & Pick<DoctorOptions, 'resources'>) {
  return diagnose({ version: '1.2.3', settings, machine: fakeMac(), log, ...options });
}

async function find(name: string, report: Promise<DoctorReport>): Promise<Check> {
  const { checks } = await report;
  const check = checks.find((each) => each.name === name);
  assert.ok(check !== undefined, `there is no check ${name}`);
  return check;
}

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

/** How the runtime misbehaves, the check that notices, what it found, and the remedy. */
const RUNTIME_FAULTS: readonly {
  fault: string;
  check: string;
  lines?: object[];
  end?: string;
  found: RegExp;
  remedy: RegExp;
}[] = [
  {
    fault: 'a Python that does not start',
    check: 'python',
    lines: [],
    end: 'exit 127',
    found: /^Python does not start/,
    remedy: /remove resources\/runtime\/\.venv/,
  },
  {
    fault: 'a Python under Rosetta',
    check: 'python',
    lines: probeLines({ python: { machine: 'x86_64', native: false } }),
    found: /^3\.12\.4 for x86_64, which is not native on this Mac$/,
    remedy: /native Python 3\.11 to 3\.13/,
  },
  {
    fault: 'MLX that cannot be imported',
    check: 'mlx',
    lines: [
      ...probeLines().slice(0, 1),
      { event: 'failed', step: 'mlx', message: 'ImportError: dlopen: libmlx.dylib' },
    ],
    found: /^ImportError: dlopen: libmlx\.dylib$/,
    remedy: /run `npm start`/,
  },
  {
    fault: 'MLX that crashes the process',
    check: 'mlx',
    lines: probeLines().slice(0, 1),
    end: 'kill -SEGV $$',
    found: /^not reached: the process ended \(SIGSEGV\)$/,
    remedy: /run `npm start`/,
  },
  {
    fault: 'no Metal',
    check: 'gpu',
    lines: probeLines({ mlx: { metal: false } }),
    found: /^no Metal on Apple M3 Pro/,
    remedy: /virtual machine/,
  },
  {
    fault: 'a GPU that computes wrongly',
    check: 'gpu',
    lines: probeLines({ matmul: { correct: false } }),
    found: /multiplied matrices wrongly$/,
    remedy: /Restart the Mac/,
  },
  {
    fault: 'MLX that does not use the GPU',
    check: 'gpu',
    lines: probeLines({ matmul: { device: 'Device(cpu, 0)' } }),
    found: /uses Device\(cpu, 0\) rather than the GPU/,
    remedy: /Restart the Mac/,
  },
  {
    fault: 'a GPU that crashes the process',
    check: 'gpu',
    lines: probeLines().slice(0, 2),
    end: 'kill -ABRT $$',
    found: /^not reached: the process ended \(SIGABRT\)$/,
    remedy: /Restart the Mac/,
  },
  {
    fault: 'mlx_vlm that cannot be imported',
    check: 'mlx_vlm',
    lines: [
      ...probeLines().slice(0, 3),
      {
        event: 'failed',
        step: 'mlx_vlm',
        message: "ModuleNotFoundError: No module named 'fastapi'",
      },
    ],
    found: /No module named 'fastapi'/,
    remedy: /run `npm start`/,
  },
  {
    fault: 'a model that does not exist',
    check: 'model',
    lines: [
      ...probeLines(),
      MODEL_LINES[0] ?? {},
      {
        ...MODEL_LINES[1],
        problem: {
          reason: 'model_not_found',
          message: 'There is no folder.',
          remedy: 'Choose one.',
        },
      },
    ],
    found: /^There is no folder\.$/,
    remedy: /^Choose one\.$/,
  },
  {
    fault: 'a model that is too large',
    check: 'model',
    lines: [...probeLines(), MODEL_LINES[0] ?? {}, { ...MODEL_LINES[1], weights_bytes: 60e9 }],
    found: /60\.0 GB of weights .* so it does not fit$/,
    remedy: /more quantized model/,
  },
];

for (const { fault, check: name, found, remedy, ...runtime } of RUNTIME_FAULTS) {
  test(`${fault} is reported with a remedy`, async (t) => {
    const resources = await fakeResources(t, runtime);
    const check = await find(name, examine({ resources }));
    assert.equal(check.status, 'failed');
    assert.match(check.found, found);
    assert.match(check.remedy ?? '', remedy);
  });
}

test('packages that differ from the lock are reported', async (t) => {
  const machine = fakeMac({
    readFile: async (path) => {
      if (path.endsWith('requirements.txt')) return 'mlx==0.32.5 ; x\nmlx-vlm==0.7.10 \\\n';
      throw new Error('missing');
    },
  });
  const report = examine({ resources: await fakeResources(t), machine });
  assert.deepEqual(
    [(await find('mlx', report)).found, (await find('mlx_vlm', report)).status],
    ['0.32.4, but 0.32.5 is expected', 'ok'],
  );
});

test('a runtime that was never set up fails, and what depends on it is skipped', async (t) => {
  const resources = await fakeResources(t);
  await rm(new URL('runtime/', resources), { recursive: true });
  const report = examine({ resources });
  assert.match((await find('python', report)).found, /not set up/);
  assert.equal((await find('model', report)).status, 'skipped');
});

test('no model chosen is reported with a remedy', async (t) => {
  const unset = { ...settings, modelPath: undefined };
  const check = await find(
    'model',
    examine({ resources: await fakeResources(t), settings: unset }),
  );
  assert.deepEqual([check.status, check.found], ['failed', 'none chosen']);
});

test('a port on which Sightglass itself serves is not a failure', async (t) => {
  const machine = fakeMac({
    acceptsConnections: async (_host, port) => port === 8000,
    getJson: async () => ({ status: 'ok', state: 'ready', model: 'demo' }),
  });
  const check = await find('port', examine({ resources: await fakeResources(t), machine }));
  assert.deepEqual([check.status, check.found], ['ok', '8000: Sightglass serves there (ready)']);
});

test('another program on ::1 is reported even where Sightglass serves on 127.0.0.1', async (t) => {
  const machine = fakeMac({
    acceptsConnections: async (_host, port) => port === 8000,
    getJson: async (url) =>
      url === 'http://127.0.0.1:8000/health' && { status: 'ok', state: 'ready', model: 'demo' },
  });
  const check = await find('port', examine({ resources: await fakeResources(t), machine }));
  assert.equal(check.found, '8000 is in use by another program on ::1');
});

for (const [host, port, found] of [
  ['192.0.2.77', 0, /^192\.0\.2\.77 is not an address of this machine$/],
  ['no-such-host.invalid', 0, /not an address of this machine$|^cannot listen on/],
] as const) {
  test(`the doctor tries to listen on ${host}`, async (t) => {
    const resources = await fakeResources(t);
    const { listenProblem } = thisMachine;
    const machine = fakeMac({ listenProblem });
    const check = await find(
      'port',
      examine({ resources, machine, settings: { ...settings, host, port } }),
    );
    assert.equal(check.status, 'failed');
    assert.match(check.found, found);
    assert.match(check.remedy ?? '', /--host/);
  });
}

for (const [code, found] of [
  ['EACCES', '80 may only be used by an administrator'],
  ['EADDRINUSE', '80 is in use by a program that does not answer'],
] as const) {
  test(`a port that cannot be listened on for ${code} is reported`, async (t) => {
    const machine = fakeMac({
      listenProblem: async () => Object.assign(new Error(code), { code }),
    });
    const resources = await fakeResources(t);
    const check = await find(
      'port',
      examine({ resources, machine, settings: { ...settings, port: 80 } }),
    );
    assert.deepEqual([check.status, check.found], ['failed', found]);
  });
}

test('a server that answers without end, or not in JSON, is not read to the end', async (t) => {
  const server = createServer((request, response) => {
    if (request.url === '/words') return response.end('hello');
    if (request.url === '/away') return response.writeHead(302, { location: '/json' }).end();
    if (request.url === '/json') return response.end('{"a":1}');
    const space = Buffer.alloc(1 << 20, ' ');
    const send = () => {
      while (response.write(space));
    };
    response.on('drain', send);
    return send();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const before = process.memoryUsage().rss;
  const answers = await Promise.all(
    ['/json', '/words', '/away', '/endless'].map((path) => thisMachine.getJson(`${url}${path}`)),
  );
  assert.deepEqual(answers, [{ a: 1 }, undefined, undefined, undefined]);
  assert.ok(process.memoryUsage().rss - before < 100e6, 'the endless answer was buffered');
});

test('a server of this machine is not looked for behind a proxy', async (t) => {
  const server = createServer((_request, response) => response.end('{"a":1}'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const machine = new URL('../../../server/doctor/machine.ts', import.meta.url);
  const program = `
    const { thisMachine } = await import('${machine}');
    console.log(JSON.stringify(await thisMachine.getJson('http://127.0.0.1:${port}/health')));`;
  const proxies = { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: 'http://127.0.0.1:1' };
  const { stdout } = await execa(process.execPath, ['--input-type=module', '-e', program], {
    env: proxies,
  });
  assert.equal(stdout, '{"a":1}');
});

test('other model servers are named', async (t) => {
  const machine = fakeMac({ acceptsConnections: async (_host, port) => port === 11_434 });
  const check = await find(
    'other_servers',
    examine({ resources: await fakeResources(t), machine }),
  );
  assert.equal(check.status, 'ok');
  assert.match(check.found, /^on 11434 \(Ollama\); a model loaded there/);
});

const logLines = (...lines: object[]) => lines.map((line) => JSON.stringify(line)).join('\n');
const crashed = { time: 1e12, msg: 'runtime crashed', reason: 'it was killed by SIGKILL' };
const failure = {
  time: 1e12 + 1,
  msg: 'runtime failed',
  reason: 'load_crashed',
  message: 'The runtime ended twice.',
  remedy: 'Try a smaller model.',
};
const ready = { time: 1e12 + 2, msg: 'runtime ready' };

function macWithLog(text: string, changes: Partial<Machine> = {}): Machine {
  return fakeMac({
    listFiles: async (folder) => (folder.endsWith('Logs/Sightglass') ? ['sightglass.2.log'] : []),
    readFile: async (path) => (path.endsWith('sightglass.2.log') ? text : Promise.reject(path)),
    ...changes,
  });
}

test('a runtime that failed and has not run since is reported with its remedy', async (t) => {
  const machine = macWithLog(
    logLines(ready, { ...crashed, time: 3e12 }, { ...failure, time: 3e12 }),
  );
  const check = await find('last_crash', examine({ resources: await fakeResources(t), machine }));
  assert.equal(check.status, 'failed');
  assert.match(check.found, /^2065-01-24T05:20:00.000Z The runtime ended twice\.$/);
  assert.equal(check.remedy, 'Try a smaller model.');
});

test('a crash from which the runtime recovered is reported, but is not a failure', async (t) => {
  const machine = macWithLog(`${logLines(crashed, ready)}\n{"time":1,"msg":"runtime cra`);
  const check = await find('last_crash', examine({ resources: await fakeResources(t), machine }));
  assert.equal(check.status, 'ok');
  assert.match(check.found, /the runtime crashed: it was killed by SIGKILL; it has run since$/);
});

test('a crash before the clock was set back has been recovered from', async (t) => {
  const future = { ...crashed, time: 4e12 };
  const machine = macWithLog(logLines(future, ready));
  const check = await find('last_crash', examine({ resources: await fakeResources(t), machine }));
  assert.deepEqual([check.status, /it has run since$/.test(check.found)], ['ok', true]);
});

test('log lines that are no log lines are passed over', async (t) => {
  const machine = macWithLog(
    `\0\ufffd"msg":"runtime crashed"\n${logLines({ ...crashed, time: 1e300 }, { ...crashed, time: 'x' })}`,
  );
  const check = await find('last_crash', examine({ resources: await fakeResources(t), machine }));
  assert.deepEqual([check.status, check.found], ['ok', 'none in the log']);
});

test('a finding is one line, and not a long one', async (t) => {
  const line = { ...crashed, reason: `a\nb\r\n  c ${'y'.repeat(1e6)}` };
  const machine = macWithLog(logLines(line));
  const check = await find('last_crash', examine({ resources: await fakeResources(t), machine }));
  assert.match(check.found, /the runtime crashed: a b c y+…$/);
  assert.ok(check.found.length < 1100);
});

test('of a very long file the doctor reads the end, and of a pipe nothing', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sightglass-doctor-'));
  t.after(() => rm(folder, { recursive: true }));
  const long = join(folder, 'sightglass.1.log');
  await writeFile(long, 'first\n');
  await truncate(long, 3e9);
  await appendFile(long, 'last\n');
  const text = await thisMachine.readFile(long);
  assert.deepEqual([text.length < 20e6, text.endsWith('\0last\n')], [true, true]);
  const pipe = join(folder, 'sightglass.2.log');
  assert.equal(spawnSync('mkfifo', [pipe]).status, 0);
  await assert.rejects(thisMachine.readFile(pipe), /is not a file/);
});

test('a runtime that hangs is killed, and so is one that hangs over a model', async (t) => {
  const hangs = await fakeResources(t, { lines: probeLines().slice(0, 2), end: 'sleep 60' });
  const early = await examine({ resources: hangs, withinMs: 500 });
  const gpu = early.checks.find(({ name }) => name === 'gpu');
  assert.match(gpu?.found ?? '', /the process ended \(killed after 0\.5 s without an answer\)/);
  const end = 'case "$*" in *runtime/doctor*) exit 0;; esac; exec sleep 60';
  const late = await examine({ resources: await fakeResources(t, { end }), withinMs: 500 });
  const model = late.checks.find(({ name }) => name === 'model');
  assert.match(model?.found ?? '', /could not be read within 0\.5 s$/);
  assert.match(model?.remedy ?? '', /disk/);
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
  assert.match(unplugged.found, /models, .*cache\/hub, cannot be used: .*cache leads nowhere$/);
  assert.match(unplugged.remedy ?? '', /^Connect the disk it is on, or set HF_HOME/);
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

test('a recent crash report of macOS is named', async (t) => {
  const at = new Date().toISOString().replace('T', ' ').replace('Z', ' +0000');
  const machine = fakeMac({
    listFiles: async (folder) =>
      folder.endsWith('DiagnosticReports') ? ['Sightglass-1.ips', 'Finder-1.ips'] : [],
    readFile: async () => `${JSON.stringify({ app_name: 'Sightglass', timestamp: at })}\n{}`,
  });
  const check = await find('last_crash', examine({ resources: await fakeResources(t), machine }));
  assert.equal(check.found, 'none in the log; macOS reported Sightglass-1.ips');
});

const GOOD = {
  [FuseV1Options.RunAsNode]: false,
  [FuseV1Options.EnableNodeOptionsEnvironmentVariable]: false,
  [FuseV1Options.EnableNodeCliInspectArguments]: false,
  [FuseV1Options.EnableEmbeddedAsarIntegrityValidation]: true,
  [FuseV1Options.OnlyLoadAppFromAsar]: true,
  [FuseV1Options.GrantFileProtocolExtraPrivileges]: false,
};

/** Resources inside a packaged app with these fuses. */
async function packaged(t: TestContext, fuses: Partial<Record<FuseV1Options, boolean>>) {
  const prepare = async (folder: string) => {
    await writeSkeleton(folder);
    const app = join(folder, 'Electron.app');
    await flipFuses(app, { version: FuseVersion.V1, ...GOOD, ...fuses });
  };
  return fakeResources(t, { name: 'Electron.app/Contents/Resources', prepare });
}

test('the fuses of a packaged app are read', async (t) => {
  const check = await find('fuses', examine({ resources: await packaged(t, {}) }));
  assert.deepEqual([check.status, check.found], ['ok', 'all 6 as built']);
});

test('a fuse that was changed is reported by its name', async (t) => {
  const resources = await packaged(t, { [FuseV1Options.RunAsNode]: true });
  const check = await find('fuses', examine({ resources }));
  assert.deepEqual([check.status, check.found], ['failed', 'changed: RunAsNode']);
});

for (const [what, commands, status, found] of [
  [
    'a Developer ID and a ticket',
    {
      'codesign --verify': answer(''),
      'codesign -d': answer('Identifier=app\nAuthority=Developer ID Application: A (T)\n'),
      'spctl --assess': answer('accepted'),
    },
    'ok',
    /^valid: Developer ID Application: A \(T\)$/,
  ],
  [
    'an ad hoc signature',
    { 'codesign --verify': answer(''), 'codesign -d': answer('Signature=adhoc\n') },
    'ok',
    /^valid, ad hoc/,
  ],
  [
    'no ticket',
    {
      'codesign --verify': answer(''),
      'codesign -d': answer('Authority=Developer ID Application: A (T)\n'),
      'spctl --assess': answer('rejected\nsource=Unnotarized Developer ID', 3),
    },
    'failed',
    /Gatekeeper refuses it: rejected/,
  ],
  [
    'a broken signature',
    { 'codesign --verify': answer('a sealed resource is missing or invalid\n', 1) },
    'failed',
    /^a sealed resource is missing or invalid$/,
  ],
] as const) {
  test(`an app with ${what} is judged by its signature`, async (t) => {
    const resources = await packaged(t, {});
    const check = await find('signature', examine({ resources, machine: fakeMac({}, commands) }));
    assert.equal(check.status, status);
    assert.match(check.found, found);
    assert.equal(check.remedy !== undefined, status === 'failed');
  });
}

test('an app that macOS runs from a temporary copy has to be moved', async (t) => {
  const name = 'AppTranslocation/X/d/Sightglass.app/Contents/Resources';
  const check = await find('signature', examine({ resources: await fakeResources(t, { name }) }));
  assert.match(check.remedy ?? '', /move it to Applications/);
});

test('a check that throws has failed, and the others still run', async (t) => {
  const machine = fakeMac({ freeDiskBytes: () => Promise.reject(new Error('statfs: EIO')) });
  const resources = await fakeResources(t, { lines: [...probeLines(), ...MODEL_LINES] });
  const report = await examine({ resources, machine });
  const failures = report.checks.filter(({ status }) => status === 'failed');
  assert.deepEqual(
    failures.map(({ name, found }) => [name, found]),
    [['disk', 'could not be checked: statfs: EIO']],
  );
});

test('the report holds no secret and no home folder', async (t) => {
  const line = {
    ...failure,
    time: 3e12,
    message: 'With sk-verysecretkey, hf_abcdefghijkl, own-key and p4ssw0rd at http://me:pw@proxy',
    remedy: 'See /Users/anna/models, not /Users/annabel/models.',
  };
  const report = await examine({
    resources: await fakeResources(t),
    machine: macWithLog(logLines(line), { env: { SIGHTGLASS_API_KEY: 'p4ssw0rd' } }),
    secrets: ['own-key', undefined, ''],
  });
  const text = toText(report);
  assert.match(
    text,
    /With \[secret\], \[secret\], \[secret\] and \[secret\] at http:\/\/proxy\. See ~\/models/,
  );
  assert.match(text, /not \/Users\/\[user\]\/models\.$/m);
});

const HOME = '/Users/müller.(x)+$';
for (const [what, text, shown] of [
  ['a home folder below a firmlink', `/System/Volumes/Data${HOME}/a`, '/System/Volumes/Data~/a'],
  ['decomposed accents', `${HOME.normalize('NFD')}/a`, '~/a'],
  ['another case', `${HOME.toUpperCase()}/a`, '~/a'],
  ['a file URL', `file://${encodeURI(HOME)}/a`, 'file://~/a'],
  ['the home of somebody else', '/home/bob/a and /Users/bob', '/home/[user]/a and /Users/[user]'],
  ['a folder of all users', '/Users/Shared/a', '/Users/Shared/a'],
  ['an organization that looks like a key', 'hf-internal-testing/a', 'hf-internal-testing/a'],
  ['an OpenAI key', 'sk-proj-abc_def-ghi', '[secret]'],
  ['a GitHub key', 'github_pat_11ABCDEFG_xyz', '[secret]'],
  ['a header', 'Authorization: Bearer abc.def-ghi=', 'Authorization: Bearer [secret]'],
  ['a password with an @', 'http://me:p@ss@proxy:3128/x', 'http://proxy:3128/x'],
  ['a name without a password', 'https://token@host/x', 'https://host/x'],
  ['a URL that went through a path', 'https:/me:pw@host/x', 'https:/host/x'],
  [
    'signed addresses',
    'https://h/x?a=1&X-Amz-Signature=abc&api_key=def#access_token=ghi',
    'https://h/x?a=1&X-Amz-Signature=[secret]&api_key=[secret]#access_token=[secret]',
  ],
  ['a secret that contains another', 'own-key-2', '[secret]'],
] as const) {
  test(`${what} in a report: ${shown}`, async (t) => {
    const machine = macWithLog(logLines({ ...failure, message: text }), { home: `${HOME}/` });
    const resources = await fakeResources(t);
    const secrets = ['own-key', 'own-key-2'];
    const check = await find('last_crash', examine({ resources, machine, secrets }));
    assert.equal(check.found.replace(/^\S+ /, ''), shown);
  });
}

test('the text has one line per check, and a failure ends with its remedy', async () => {
  const check = (status: Check['status'], remedy?: string): Check => ({
    ...{ name: 'a', title: 'A', status, found: 'f.' },
    ...(remedy === undefined ? {} : { remedy }),
  });
  const checks = [check('ok'), check('failed', 'Do that.'), check('skipped')];
  const report = { version: '1', at: new Date(0).toISOString(), healthy: false, checks };
  assert.equal(toText(report), 'Sightglass 1\n✓ A: f.\n✗ A: f. Do that.\n– A: f.\n');
});

test('this machine, its runtime and the demo model pass', async () => {
  const machine = { ...thisMachine, home: '/nowhere', env: {} }; // no log of earlier crashes
  const report = await examine({ resources: own, machine, settings: { ...settings, port: 0 } });
  assert.deepEqual(
    report.checks.filter(({ status }) => status === 'failed'),
    [],
  );
});

test('the oldest Node is that of package.json', async () => {
  const file = new URL('../../../package.json', import.meta.url);
  const { engines } = JSON.parse(await readFile(file, 'utf8'));
  assert.equal(engines.node, `>=${OLDEST_NODE.join('.')}`);
});

test('docs/doctor.schema.json describes the report', async (t) => {
  const file = new URL('../../../docs/doctor.schema.json', import.meta.url);
  assert.equal(await readFile(file, 'utf8'), doctorSchema());
  const ajv = new Ajv2020();
  addFormats.default(ajv);
  const report = await examine({ resources: await fakeResources(t) });
  assert.ok(ajv.validate(JSON.parse(doctorSchema()), report), ajv.errorsText());
});

test('an app whose path contains a space is recognized', async (t) => {
  const resources = await fakeResources(t, { name: 'My Apps/Sightglass.app/Contents/Resources' });
  assert.match(pathToFileURL(fileURLToPath(resources)).href, /My%20Apps/);
  const check = await find('signature', examine({ resources, machine: fakeMac() }));
  assert.notEqual(check.status, 'skipped');
});
