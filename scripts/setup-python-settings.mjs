// The environment variables with which setup runs Python, pip and uv. The user's settings decide where
// packages come from (indexes, proxies, certificates, caches), but not which packages are installed,
// where, or for which Python.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { parseLastLine } from './setup-stamp.mjs';

/** The pip settings that are kept, with the corresponding uv variable. */
const PIP_SETTINGS = {
  'index-url': 'UV_DEFAULT_INDEX',
  'extra-index-url': 'UV_INDEX',
  'find-links': 'UV_FIND_LINKS',
  'trusted-host': 'UV_INSECURE_HOST',
  'no-index': undefined,
  cert: 'SSL_CERT_FILE',
  'client-cert': 'SSL_CLIENT_CERT',
  proxy: 'ALL_PROXY',
  timeout: 'UV_HTTP_TIMEOUT',
  retries: 'UV_HTTP_RETRIES',
  'keyring-provider': undefined,
  'cache-dir': undefined,
  'no-cache-dir': undefined,
  'use-feature': undefined,
  'use-deprecated': undefined,
};
/** pip's aliases for some of them. */
const SYNONYMS = { 'default-timeout': 'timeout', 'pypi-url': 'index-url' };
/** The values of `use-feature` that select certificates. */
const CERTIFICATE_FEATURES = ['truststore', 'legacy-certs'];

const UV_KEPT =
  /^UV_((DEFAULT_|EXTRA_)?INDEX(_URL|_STRATEGY)?|INDEX_.+_(USERNAME|PASSWORD)|FIND_LINKS|KEYRING_PROVIDER|CREDENTIALS_DIR|INSECURE_HOST|SYSTEM_CERTS|NATIVE_TLS|HTTP_.+|REQUEST_TIMEOUT|CONCURRENT_.+|OFFLINE|CACHE_DIR|NO_CACHE|PYTHON_DOWNLOADS|PYTHON_DOWNLOADS_JSON_URL|PYTHON_INSTALL_MIRROR|GITHUB_TOKEN)$/;
/** Variables that point Python or uv at another environment or other packages. */
const DROPPED =
  /^(PIP_.*|UV_.*|PYTHON.*|VIRTUAL_ENV(_PROMPT)?|CONDA_PREFIX|CONDA_DEFAULT_ENV|__PYVENV_LAUNCHER__)$/;

/**
 * Prints the [global] and [install] sections of pip's configuration files, in pip's order. `pip config
 * list` cannot be used: it fails if any setting has a value that this version of pip does not know.
 */
const READ_PIP_FILES = `
import configparser, json, os
from pip._internal.configuration import get_configuration_files, kinds
files = get_configuration_files()
named = os.environ.get("PIP_CONFIG_FILE")
paths = [*files[kinds.GLOBAL], *files[kinds.USER], *files[kinds.SITE]]
if named and os.path.exists(named):
    paths = [*files[kinds.GLOBAL], *files[kinds.SITE], named]
if named == os.devnull:
    paths = []
parser = configparser.RawConfigParser()
for path in paths:
    try:
        parser.read(path)
    except (configparser.Error, UnicodeError):
        pass
print(json.dumps([dict(parser.items(name)) if parser.has_section(name) else {} for name in ("global", "install")]))`;

/** The environment for Python, without the variables in DROPPED. */
export function toPythonEnvironment(env = process.env) {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !DROPPED.test(name) || UV_KEPT.test(name)),
  );
}

/** The environment for the pip of `python`: only the kept settings, and no configuration files. */
export function toPipEnvironment(python, env = process.env) {
  const settings = readPipSettings(python, env);
  const variables = Object.entries(settings).map(([name, value]) => [
    `PIP_${name.replaceAll('-', '_').toUpperCase()}`,
    value,
  ]);
  return {
    ...toPythonEnvironment(env),
    ...Object.fromEntries(variables),
    PIP_CONFIG_FILE: '/dev/null',
    PIP_DISABLE_PIP_VERSION_CHECK: '1',
    PIP_NO_INPUT: '1',
  };
}

/**
 * The environment for uv, which does not read pip's configuration: the settings of `python`'s pip,
 * unless uv's own variables override them. uv.toml is ignored: it can change what gets installed.
 */
export function toUvEnvironment(python, env = process.env) {
  const own = toPythonEnvironment(env);
  const settings = readPipSettings(python, env);
  const translated = Object.entries(settings)
    .filter(([name]) => PIP_SETTINGS[name] !== undefined)
    .map(([name, value]) => [
      PIP_SETTINGS[name],
      name === 'find-links' ? toWords(value).filter(isUrlOrExists).join(',') : value,
    ]);
  const merged = { ...Object.fromEntries(translated.filter(([, value]) => value !== '')), ...own };
  if (own.UV_INDEX_URL !== undefined) delete merged.UV_DEFAULT_INDEX;
  const requests = env.REQUESTS_CA_BUNDLE ?? env.CURL_CA_BUNDLE;
  if (requests !== undefined) merged.SSL_CERT_FILE ??= requests;
  // Like pip 24.2 and newer, use the keychain, where companies install their own certificates.
  if (process.platform === 'darwin') merged.UV_SYSTEM_CERTS ??= '1';
  if (['1', 'true', 'yes', 'on'].includes(settings['no-index'])) merged.UV_OFFLINE ??= '1';
  return { ...merged, UV_NO_CONFIG: '1', UV_NO_PROGRESS: '1' };
}

/** The kept settings. Variables override the [install] section, which overrides [global]. */
function readPipSettings(python, env) {
  const { stdout } = spawnSync(python, ['-I', '-c', READ_PIP_FILES], { encoding: 'utf8', env });
  const variables = Object.entries(env).flatMap(([name, value]) =>
    name.startsWith('PIP_') && value !== '' ? [[name.slice('PIP_'.length), value]] : [],
  );
  const settings = {};
  const reported = parseLastLine(stdout ?? '');
  const fromFiles = Array.isArray(reported) ? reported : [];
  for (const source of [...fromFiles, Object.fromEntries(variables)]) {
    for (const [key, value] of Object.entries(source)) {
      const name = key.toLowerCase().replaceAll('_', '-');
      const known = SYNONYMS[name] ?? name;
      if (Object.hasOwn(PIP_SETTINGS, known)) settings[known] = toWords(value).join(' ');
    }
  }
  for (const name of ['use-feature', 'use-deprecated']) {
    if (settings[name] === undefined) continue;
    const kept = toWords(settings[name]).filter((word) => CERTIFICATE_FEATURES.includes(word));
    if (kept.length === 0) delete settings[name];
    else settings[name] = kept.join(' ');
  }
  return settings;
}

/** uv fails if a folder does not exist; pip only warns. */
function isUrlOrExists(link) {
  return link.includes('://') || existsSync(link);
}

function toWords(value) {
  return value.split(/\s+/).filter((word) => word !== '');
}
