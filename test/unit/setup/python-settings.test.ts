import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  toPipEnvironment,
  toPythonEnvironment,
  toUvEnvironment,
} from '../../../scripts/setup-python-settings.mjs';

const python = fileURLToPath(
  new URL('../../../resources/runtime/.venv/bin/python', import.meta.url),
);

/** The variables for pip and uv in an environment made from these. */
function settingsOf(environment: Record<string, string | undefined>) {
  const names = /^(PIP|UV|SSL|ALL_PROXY|PYTHON|VIRTUAL|CONDA)/;
  const isPlain = (name: string) =>
    !/^(UV_NO_CONFIG|UV_NO_PROGRESS|UV_SYSTEM_CERTS|PIP_DISABLE|PIP_NO_INPUT)/.test(name);
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => names.test(name) && isPlain(name)),
  );
}

/** @param lines of a pip.conf, the only one there is */
function withPipConfig(t: TestContext, lines: string) {
  const folder = mkdtempSync(join(tmpdir(), 'sightglass-pip-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'pip.conf');
  writeFileSync(file, lines);
  return { PIP_CONFIG_FILE: file };
}

test('settings that send packages elsewhere do not reach pip (C8)', (t) => {
  const config = withPipConfig(t, '[global]\nuser = true\ntarget = /x\n[install]\nprefix = /x\n');
  const env = {
    ...config,
    PIP_USER: '1',
    PIP_TARGET: '/x',
    PIP_PREFIX: '/x',
    PIP_REQUIRE_VIRTUALENV: '1',
    PIP_NO_BINARY: ':all:',
    PIP_PYTHON: '/x',
    PYTHONHOME: '/x',
    PYTHONPATH: '/x',
    VIRTUAL_ENV: '/x',
    CONDA_PREFIX: '/x',
    UV_SYSTEM_PYTHON: '1',
  };
  assert.deepEqual(settingsOf(toPythonEnvironment(env)), {});
  assert.equal(settingsOf(toPipEnvironment(python, env))['PIP_CONFIG_FILE'], '/dev/null');
  const dropped = /^PIP_(USER|TARGET|PREFIX|REQUIRE_VIRTUALENV|NO_BINARY|PYTHON)$/;
  const names = Object.keys(toPipEnvironment(python, env));
  assert.deepEqual(
    names.filter((name) => dropped.test(name)),
    [],
  );
});

test('indexes, proxies and certificates reach pip and uv, from files and from variables', (t) => {
  const config = withPipConfig(
    t,
    '[global]\nindex-url = https://one.test/simple\ncert = /ca.pem\ntimeout = 7\n' +
      '[install]\nextra-index-url =\n    https://two.test/simple\n    https://three.test/simple\n' +
      'trusted_host = one.test\n',
  );
  const env = {
    ...config,
    PIP_PROXY: 'http://proxy.test:3128',
    PIP_INDEX_URL: 'https://env.test/simple',
  };
  assert.deepEqual(settingsOf(toPipEnvironment(python, env)), {
    PIP_CONFIG_FILE: '/dev/null',
    PIP_INDEX_URL: 'https://env.test/simple',
    PIP_EXTRA_INDEX_URL: 'https://two.test/simple https://three.test/simple',
    PIP_CERT: '/ca.pem',
    PIP_TIMEOUT: '7',
    PIP_TRUSTED_HOST: 'one.test',
    PIP_PROXY: 'http://proxy.test:3128',
  });
  assert.deepEqual(settingsOf(toUvEnvironment(python, env)), {
    UV_DEFAULT_INDEX: 'https://env.test/simple',
    UV_INDEX: 'https://two.test/simple https://three.test/simple',
    SSL_CERT_FILE: '/ca.pem',
    UV_HTTP_TIMEOUT: '7',
    UV_INSECURE_HOST: 'one.test',
    ALL_PROXY: 'http://proxy.test:3128',
  });
});

test('uv’s own indexes win over pip’s, and what changes an installation is dropped', () => {
  const env = {
    PIP_CONFIG_FILE: '/dev/null',
    PIP_INDEX_URL: 'https://pip.test/simple',
    UV_INDEX_URL: 'https://uv.test/simple',
    UV_INDEX_INTERNAL_PASSWORD: 'secret',
    UV_CACHE_DIR: '/cache',
    UV_EXCLUDE_NEWER: '2020-01-01',
    UV_NO_BINARY: '1',
    UV_NO_VERIFY_HASHES: '1',
    UV_PYTHON: '2.7',
    UV_LINK_MODE: 'symlink',
  };
  assert.deepEqual(settingsOf(toUvEnvironment(python, env)), {
    UV_INDEX_URL: 'https://uv.test/simple',
    UV_INDEX_INTERNAL_PASSWORD: 'secret',
    UV_CACHE_DIR: '/cache',
  });
});

test('of pip’s features only those that choose certificates are kept', () => {
  const env = { PIP_CONFIG_FILE: '/dev/null', PIP_USE_FEATURE: 'no-such-feature truststore' };
  assert.equal(toPipEnvironment(python, env)['PIP_USE_FEATURE'], 'truststore');
});

test('a folder of wheels that does not exist is not passed to uv, which would stop at it', () => {
  const env = { PIP_CONFIG_FILE: '/dev/null', PIP_FIND_LINKS: '/nonexistent /tmp' };
  assert.equal(toUvEnvironment(python, env)['UV_FIND_LINKS'], '/tmp');
});

test('a company’s certificates for requests are used by uv too', () => {
  const env = { PIP_CONFIG_FILE: '/dev/null', REQUESTS_CA_BUNDLE: '/company.pem' };
  assert.equal(toUvEnvironment(python, env)['SSL_CERT_FILE'], '/company.pem');
});
