import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { isCurrent } from '../bundle/manifest.ts';
import { planSigning } from './signing.ts';
import { writeSkeleton } from './skeleton.ts';

// `npm run package`: the app as people get it, in `out`. On a Mac a dmg and a zip. Elsewhere the same
// configuration over a skeleton of Electron, which shows what would be inside: only its JavaScript and
// its runtime can run. With `-- --require-signature` it refuses to build an app that cannot be released.

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
  // The compilers leave behind the output of deleted sources.
  await rm(join(root, 'dist', part), { recursive: true, force: true });
}
await run('npm', ['run', '--silent', 'build']);
const skeleton = join(root, 'dist/electron-skeleton');
if (!isMac) await writeSkeleton(skeleton);
// There is no codesign here to sign again after the fuses are set.
const elsewhere = [
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
    ...(isMac ? signing.options : elsewhere),
  ],
  {
    SIGHTGLASS_BUNDLE: platform,
    GITHUB_REPOSITORY_OWNER: env['GITHUB_REPOSITORY_OWNER'] ?? 'sightglass',
  },
);
if (isMac) {
  const how = signing.isDeveloperId
    ? `Signed with a Developer ID${signing.isNotarized ? ' and notarized' : ', not notarized'}.`
    : 'Signed ad hoc: it runs on this Mac; other Macs refuse a downloaded copy.';
  process.stdout.write(`${how}\n`);
}
