import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { Check } from '../../../server/doctor/check.ts';
import { doctorSchema, toText } from '../../../server/doctor/doctor.ts';
import { OLDEST_NODE } from '../../../server/doctor/host-checks.ts';
import { thisMachine } from '../../../server/doctor/machine.ts';
import {
  examine,
  failure,
  find,
  logLines,
  MODEL_LINES,
  macWithLog,
  own,
  settings,
} from './examination.ts';
import { fakeMac, fakeResources, probeLines } from './fake-machine.ts';

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
