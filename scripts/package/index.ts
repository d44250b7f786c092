import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { isCurrent } from '../bundle/manifest.ts';
import { planSigning } from './signing.ts';
import { writeSkeleton } from './skeleton.ts';

// `npm run package`: builds the app for release in `out`, on a Mac as a dmg and a zip. Elsewhere it applies
// the same configuration to a skeleton of Electron, to show what the app would contain; only its JavaScript
// and its runtime can run. `-- --require-signature` fails if the app would not be signed and notarized.

const root = fileURLToPath(new URL('../../', import.meta.url));
const isMac = process.platform === 'darwin';
const platform = isMac ? 'macos' : 'linux';
const { values } = parseArgs({ options: { 'require-signature': { type: 'boolean' } } });
const signing = planSigning(process.env);
if (values['require-signature'] && !signing.isNotarized) {
  throw new Error(
    'A release must be signed and notarized. Set CSC_LINK and CSC_KEY_PASSWORD, and APPLE_ID, ' +
      'APPLE_APP_SPECIFIC_PASSWORD and APPLE_TEAM_ID (docs/packaging.md).',
  );
}
const { env } = signing;
const run = (command: string, args: string[], more = {}) =>
  execa(command, args, { cwd: root, stdio: 'inherit', extendEnv: false, env: { ...env, ...more } });

const bundle = join(root, 'dist/bundle', platform, 'runtime');
if (!(await isCurrent(root, bundle))) await run('npm', ['run', '--silent', 'bundle']);
for (const part of ['main', 'server', 'renderer']) {
  // The compilers don't remove the output of deleted sources.
  await rm(join(root, 'dist', part), { recursive: true, force: true });
}
await run('npm', ['run', '--silent', 'build']);
const skeleton = join(root, 'dist/electron-skeleton');
if (!isMac) await writeSkeleton(skeleton);
// Only macOS has codesign, which would sign the app again after the fuses are set.
const withoutCodesign = [
  `-c.electronDist=${skeleton}`,
  '-c.mac.notarize=false',
  '-c.electronFuses.resetAdHocDarwinSignature=false',
];
await run(
  join(root, 'node_modules/.bin/electron-builder'),
  [
    '--mac',
    ...(isMac ? [] : ['dir']),
    '--arm64',
    '--publish',
    'never',
    ...(isMac ? signing.options : withoutCodesign),
  ],
  {
    SIGHTGLASS_BUNDLE: platform,
    GITHUB_REPOSITORY_OWNER: env['GITHUB_REPOSITORY_OWNER'] ?? 'sightglass',
  },
);
if (isMac) {
  const summary = signing.isDeveloperId
    ? `Signed with a Developer ID${signing.isNotarized ? ' and notarized' : ', not notarized'}.`
    : 'Signed ad hoc: the app runs on this Mac, but other Macs block a downloaded copy.';
  process.stdout.write(`${summary}\n`);
}
