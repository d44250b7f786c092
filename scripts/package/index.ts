import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { writeSkeleton } from './skeleton.ts';

// `npm run package`: the app as people get it, in `out`. On a Mac a dmg and a zip, signed and notarized
// if there is a certificate. Elsewhere the same configuration over a skeleton of Electron, which shows
// what would be inside: nothing of it can be run but its JavaScript and its runtime.

const root = fileURLToPath(new URL('../../', import.meta.url));
const isMac = process.platform === 'darwin';
const platform = isMac ? 'macos' : 'linux';

if (!existsSync(join(root, 'dist/bundle', platform, 'runtime/manifest.json'))) {
  await execa('npm', ['run', '--silent', 'bundle'], { cwd: root, stdio: 'inherit' });
}
await execa('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'inherit' });
const skeleton = join(root, 'dist/electron-skeleton');
if (!isMac) await writeSkeleton(skeleton);
await execa(
  join(root, 'node_modules/.bin/electron-builder'),
  [
    '--mac',
    ...(isMac ? [] : ['dir']),
    '--arm64',
    '--publish',
    'never',
    ...(isMac ? [] : [`-c.electronDist=${skeleton}`, '-c.mac.notarize=false']),
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      SIGHTGLASS_BUNDLE: platform,
      GITHUB_REPOSITORY_OWNER: process.env['GITHUB_REPOSITORY_OWNER'] ?? 'sightglass',
      ...(isMac ? {} : { CSC_IDENTITY_AUTO_DISCOVERY: 'false' }),
    },
  },
);
