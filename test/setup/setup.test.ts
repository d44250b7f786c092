// `npm run test:setup`: sets up a fresh clone with every supported Node and npm, in environments that once
// broke setup, and after setup was killed. Each takes about a minute, so this is not part of `npm test`.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Environment,
  FreshClone,
  installTools,
  type Output,
  writeNpmrc,
  writePipConfig,
} from './fresh-clone.ts';

/** Versions of Node and npm, and the major version that runs the service: the pinned one for Node 20. */
const COMBINATIONS = [
  ['20', '10', 26],
  ['20', '11', 26],
  ['22', '10', 22],
  ['22', '11', 22],
  ['22', '12', 22],
  ['24', '10', 24],
  ['24', '11', 24],
  ['24', '12', 24],
  ['latest', '11', 26],
  ['latest', '12', 26],
] as const;

const isLinux = process.platform === 'linux' && process.arch === 'x64';
const skip = isLinux ? false : 'needs Linux on x86_64';
const folder = mkdtempSync(join(tmpdir(), 'sightglass-setup-test-'));
after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
const withTools = (bin: string) => ({ PATH: `${bin}${delimiter}${userPath()}` });
const userPath = () =>
  (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((part) => !part.includes('node_modules'))
    .join(delimiter);

describe('npm start in a fresh clone answers a request', { skip }, () => {
  for (const [node, npm, major] of COMBINATIONS) {
    test(`with Node ${node} and npm ${npm}`, async (t) => {
      const bin = installTools(mkdtempSync(join(folder, 'tools-')), node, npm);
      const clone = new FreshClone(withTools(bin));
      t.after(() => clone.remove());
      const { answer, expected } = await clone.start();
      const versions = ['node', 'npm'].map((name) =>
        execFileSync(join(bin, name), ['--version'], { encoding: 'utf8' }).trim(),
      );
      t.diagnostic(`node and npm ${versions.join(', ')}: runs on ${clone.node}: ${answer}`);
      assert.deepEqual([answer, clone.node.split('.')[0]], [expected, `v${major}`]);
    });
  }
});

/** Settings that broke setup or could, and the parts that setup must recreate with them. */
const ENVIRONMENTS: [title: string, parts: ('packages' | 'node' | 'python')[], env: Environment][] =
  [
    ['NODE_ENV=production', ['packages', 'node', 'python'], { NODE_ENV: 'production' }],
    ['ignore-scripts=true', ['packages', 'node', 'python'], { npm_config_ignore_scripts: 'true' }],
    ['PIP_USER=1', ['python'], { PIP_USER: '1' }],
    [
      'user = true in pip.conf',
      ['python'],
      { XDG_CONFIG_HOME: writePipConfig(mkdtempSync(join(folder, 'pip-')), 'user = true') },
    ],
    [
      'an .npmrc that omits, skips scripts, makes no links and is strict about engines',
      ['packages', 'node'],
      {
        npm_config_userconfig: writeNpmrc(
          mkdtempSync(join(folder, 'npm-')),
          'ignore-scripts=true\nomit=dev\nbin-links=false\nengine-strict=true\ndry-run=true\nlegacy-peer-deps=true\nstrict-allow-scripts=true',
        ),
      },
    ],
    [
      'every setting that sends pip, uv or Python elsewhere',
      ['python'],
      {
        PIP_TARGET: join(folder, 'target'),
        PIP_PREFIX: join(folder, 'prefix'),
        PIP_REQUIRE_VIRTUALENV: '1',
        PIP_NO_BINARY: ':all:',
        PIP_PYTHON: '/nonexistent/python',
        PIP_USE_FEATURE: 'no-such-feature',
        PYTHONHOME: '/nonexistent',
        PYTHONPATH: '/nonexistent',
        VIRTUAL_ENV: '/nonexistent',
        CONDA_PREFIX: '/nonexistent',
        UV_SYSTEM_PYTHON: '1',
        UV_PYTHON: '2.7',
        UV_NO_BINARY: '1',
        UV_EXCLUDE_NEWER: '2020-01-01',
        UV_PROJECT_ENVIRONMENT: '/nonexistent',
        UV_LINK_MODE: 'symlink',
      },
    ],
  ];

describe('npm start answers a request after setup in an unusual environment', { skip }, () => {
  let clone: FreshClone;
  before(() => {
    clone = new FreshClone(withTools(installTools(folder, '20', '10')));
  });
  after(() => clone.remove());
  for (const [title, parts, env] of ENVIRONMENTS) {
    test(`with ${title}`, async () => {
      clone.reset(...parts);
      const { answer, expected } = await clone.start(env);
      assert.equal(answer, expected);
    });
  }

  test('without a network, once everything is set up', async (t) => {
    const lo = 'ip link set lo up';
    if (spawnSync('unshare', ['--net', 'sh', '-c', lo]).status !== 0) {
      return t.skip('needs ip and permission to create a network namespace');
    }
    await clone.start();
    assert.equal(await clone.startOffline(lo), 'A red circle on a white background.');
  });
});

describe('npm start repairs a setup that was killed', { skip }, () => {
  const seen = (title: string, afterMs: number) => async (output: Output) => {
    await output.until(new RegExp(title));
    await sleep(afterMs); // somewhere in the middle of the step
  };
  const recorded = async (_: Output, clone: string) => {
    while (!existsSync(join(clone, 'node_modules/.package-lock.json'))) await sleep(1);
  };
  let clone: FreshClone;
  before(() => {
    clone = new FreshClone(withTools(installTools(folder, '20', '10')));
  });
  after(() => clone.remove());
  const moments = [
    ['while npm installs packages', 'packages', seen('Installing the npm packages', 4000)],
    ['after npm has exited, before setup records it', 'packages', recorded],
    ['while Node.js is downloaded', 'node', seen('Installing Node.js', 1500)],
    ['while the Python environment is created', 'python', seen('Creating a Python', 1500)],
    ['while uv installs the runtime', 'python', seen('Installing the Python runtime', 300)],
    ['while the runtime is checked', 'python', seen('Checking the Python runtime', 1000)],
  ] as const;
  for (const [title, part, moment] of moments) {
    test(title, async () => {
      clone.reset(part);
      await clone.killSetup(moment);
      const { answer, expected } = await clone.start();
      assert.equal(answer, expected);
    });
  }
});
