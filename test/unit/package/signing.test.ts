import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { planSigning } from '../../../scripts/package/signing.ts';

const PATH = { PATH: '/usr/bin' };
const CERTIFICATE = { CSC_LINK: 'MIIabc', CSC_KEY_PASSWORD: 'secret' };
const APPLE = {
  APPLE_ID: 'me@example.com',
  APPLE_APP_SPECIFIC_PASSWORD: 'aaaa-bbbb',
  APPLE_TEAM_ID: 'ABCDE12345',
};
/** What a workflow without secrets passes on. */
const EMPTY = {
  CSC_LINK: '',
  CSC_KEY_PASSWORD: '',
  CSC_FOR_PULL_REQUEST: '',
  APPLE_ID: '',
  APPLE_APP_SPECIFIC_PASSWORD: ' ',
  APPLE_TEAM_ID: '',
};
const AD_HOC = {
  isDeveloperId: false,
  isNotarized: false,
  env: { ...PATH, CSC_IDENTITY_AUTO_DISCOVERY: 'false' },
  options: ['-c.mac.notarize=false'],
};

test('without a certificate the app is signed ad hoc', () => {
  assert.deepEqual(planSigning(PATH), AD_HOC);
});

test('empty variables count as unset', () => {
  assert.deepEqual(planSigning({ ...PATH, ...EMPTY }), AD_HOC);
  assert.deepEqual(planSigning({ ...PATH, ...EMPTY, ...CERTIFICATE }).env, {
    ...PATH,
    ...CERTIFICATE,
  });
});

test('a push is not mistaken for a pull request', () => {
  assert.equal(planSigning({ ...PATH, ...CERTIFICATE, GITHUB_BASE_REF: '' }).isDeveloperId, true);
});

test('a pull request is signed ad hoc even with a certificate, which electron-builder would not use', () => {
  assert.deepEqual(planSigning({ ...PATH, ...CERTIFICATE, ...APPLE, GITHUB_BASE_REF: 'main' }), {
    ...AD_HOC,
    env: { ...AD_HOC.env, GITHUB_BASE_REF: 'main' },
  });
});

test('a certificate without notarization signs and does not notarize', () => {
  const { isDeveloperId, isNotarized, options } = planSigning({ ...PATH, ...CERTIFICATE });
  assert.deepEqual(
    [isDeveloperId, isNotarized, options],
    [true, false, ['-c.forceCodeSigning=true', '-c.mac.notarize=false']],
  );
});

test('complete credentials of each kind notarize', () => {
  const key = { APPLE_API_KEY: 'key.p8', APPLE_API_KEY_ID: 'ID', APPLE_API_ISSUER: 'issuer' };
  for (const credentials of [APPLE, key, { APPLE_KEYCHAIN_PROFILE: 'sightglass' }]) {
    const signing = planSigning({ ...PATH, ...CERTIFICATE, ...credentials });
    assert.deepEqual(
      [signing.isNotarized, signing.options],
      [true, ['-c.forceCodeSigning=true', '-c.mac.notarize=true']],
    );
  }
});

test('incomplete credentials are refused, and the missing variables named', () => {
  const environment = { ...PATH, ...CERTIFICATE, ...APPLE, APPLE_TEAM_ID: '' };
  assert.throws(
    () => planSigning(environment),
    /needs APPLE_TEAM_ID as well as APPLE_ID and APPLE/,
  );
});

test('a team identifier alone does not ask for notarization', () => {
  const environment = { ...PATH, ...CERTIFICATE, APPLE_TEAM_ID: 'ABCDE12345' };
  assert.equal(planSigning(environment).isNotarized, false);
});

test('electron-builder misreads empty variables, which the planned environment does not have', () => {
  const builder = createRequire(createRequire(import.meta.url).resolve('electron-builder'));
  const library = createRequire(builder.resolve('app-builder-lib'));
  builder('app-builder-lib'); // its parts need each other in this order
  const { MacTargetHelper } = library('./mac/MacTargetHelper');
  const { isPullRequest } = library('builder-util');
  const { chooseNotNull } = library('./platformPackager');
  const before = { ...process.env };
  const read = (environment: Record<string, string>) => {
    for (const name of Object.keys(EMPTY)) delete process.env[name];
    Object.assign(process.env, environment);
    try {
      return [
        chooseNotNull(undefined, process.env['CSC_LINK']),
        MacTargetHelper.getNotarizeOptions('Sightglass.app'),
        Boolean(isPullRequest()),
      ];
    } finally {
      for (const name of Object.keys(EMPTY)) delete process.env[name];
      Object.assign(process.env, before);
    }
  };
  const { APPLE_APP_SPECIFIC_PASSWORD: _blank, ...empty } = EMPTY;
  assert.equal(read(empty)[0], '', 'electron-builder takes an empty CSC_LINK for a file');
  assert.throws(() => read(EMPTY), /APPLE_ID env var needs to be set/);
  assert.deepEqual(read(planSigning({ ...PATH, ...EMPTY }).env), [undefined, undefined, false]);
});
