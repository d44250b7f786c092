import { cp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Bundle, PLATFORMS, type Platform, PROGRAMS } from './bundle.ts';
import { copyInterpreter } from './interpreter.ts';
import { writeManifest } from './manifest.ts';
import { compile, installWheels, trim } from './packages.ts';

// `npm run bundle`: builds the runtime for the packaged app in `dist/bundle/<platform>`: a relocatable
// Python, the locked wheels, our programs, and a manifest. A bundle for another platform has no Python:
// `--platform macos` on Linux only installs the wheels.

const root = fileURLToPath(new URL('../../', import.meta.url));
const native: Platform = process.platform === 'darwin' ? 'macos' : 'linux';

const { values } = parseArgs({ options: { platform: { type: 'string', default: native } } });
const platform = PLATFORMS.find((each) => each === values.platform);
if (platform === undefined) throw new Error(`--platform must be one of ${PLATFORMS.join(', ')}.`);

const folder = join(root, 'dist/bundle', platform, 'runtime');
const python = join(folder, 'python');
const bundle: Bundle = {
  platform,
  isNative: platform === native,
  root,
  folder,
  python,
  packages: join(python, 'lib/python3.11/site-packages'),
};

await rm(folder, { recursive: true, force: true });
await mkdir(bundle.packages, { recursive: true });
if (bundle.isNative) await copyInterpreter(bundle);
await installWheels(bundle);
await trim(bundle);
await copyPrograms(bundle);
if (bundle.isNative) await compile(bundle);
const { bytes, packages } = await writeManifest(bundle);
process.stdout.write(
  `${folder}\n${(bytes / 1e6).toFixed(0)} MB: ${packages.length} packages` +
    `${bundle.isNative ? ' and Python' : ', without Python'}\n` +
    packages
      .slice(0, 8)
      .map(
        ({ name, version, bytes: size }) =>
          `  ${(size / 1e6).toFixed(0).padStart(4)} MB  ${name} ${version}\n`,
      )
      .join(''),
);

/** Copies our own programs for the runtime. */
async function copyPrograms({ root, folder }: Bundle): Promise<void> {
  for (const program of PROGRAMS) {
    await cp(join(root, 'resources/runtime', program), join(folder, program), {
      recursive: true,
      filter: (path) => !path.includes('__pycache__'),
    });
  }
}
