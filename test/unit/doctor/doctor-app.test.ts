import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { FuseV1Options, FuseVersion, flipFuses } from '@electron/fuses';
import { writeSkeleton } from '../../../scripts/package/skeleton.ts';
import { examine, find } from './examination.ts';
import { answer, fakeMac, fakeResources } from './fake-machine.ts';

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
    /Gatekeeper rejects it: rejected/,
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

test('an app whose path contains a space is recognized', async (t) => {
  const resources = await fakeResources(t, { name: 'My Apps/Sightglass.app/Contents/Resources' });
  assert.match(pathToFileURL(fileURLToPath(resources)).href, /My%20Apps/);
  const check = await find('signature', examine({ resources, machine: fakeMac() }));
  assert.notEqual(check.status, 'skipped');
});
