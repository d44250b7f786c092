import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Bundle, PLATFORMS, type Platform } from './bundle.ts';
import { copyInterpreter } from './interpreter.ts';
import { writeManifest } from './manifest.ts';
import { copyPrograms } from './programs.ts';
import { trim } from './trim.ts';
import { compile, installWheels } from './wheels.ts';

// `npm run bundle`: the runtime as the packaged app carries it, in `dist/bundle/<platform>`: a Python
// of its own that runs wherever the folder lies, the locked wheels, our programs, and a manifest. The
// one of the other platform cannot be run here: `--platform macos` on Linux gets its wheels only.

const root = fileURLToPath(new URL('../../', import.meta.url));
const own: Platform = process.platform === 'darwin' ? 'macos' : 'linux';

const { values } = parseArgs({ options: { platform: { type: 'string', default: own } } });
const platform = PLATFORMS.find((each) => each === values.platform);
if (platform === undefined) throw new Error(`--platform is one of ${PLATFORMS.join(', ')}.`);

const folder = join(root, 'dist/bundle', platform, 'runtime');
const python = join(folder, 'python');
const bundle: Bundle = {
  platform,
  isOwn: platform === own,
  root,
  folder,
  python,
  packages: join(python, 'lib/python3.11/site-packages'),
};

await rm(folder, { recursive: true, force: true });
await mkdir(bundle.packages, { recursive: true });
if (bundle.isOwn) await copyInterpreter(bundle);
await installWheels(bundle);
await trim(bundle);
await copyPrograms(bundle);
if (bundle.isOwn) await compile(bundle);
const { bytes, packages } = await writeManifest(bundle);
process.stdout.write(
  `${folder}\n${(bytes / 1e6).toFixed(0)} MB: ${packages.length} packages` +
    `${bundle.isOwn ? ' and a Python of its own' : ', without a Python'}\n` +
    packages
      .slice(0, 8)
      .map(
        ({ name, version, bytes: size }) =>
          `  ${(size / 1e6).toFixed(0).padStart(4)} MB  ${name} ${version}\n`,
      )
      .join(''),
);
