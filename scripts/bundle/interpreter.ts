import { cp, mkdir, readdir, rm, symlink } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { execa } from 'execa';
import { type Bundle, runtimeTool, runUv } from './bundle.ts';

const VERSION = '3.11';
/** Parts of the standard library that a server does not need. */
const OMITTED = [
  'site-packages',
  'test',
  'idlelib',
  'tkinter',
  'turtledemo',
  'ensurepip',
  'lib2to3',
  'pydoc_data',
  '__pycache__',
];

/**
 * Copies a relocatable Python into the bundle. On macOS it is python-build-standalone, which uv
 * downloads; on Linux, where that is not available everywhere, the Python of the runtime's environment.
 */
export async function copyInterpreter(bundle: Bundle): Promise<void> {
  const source =
    bundle.platform === 'macos' ? await downloadPython(bundle) : await localPython(bundle);
  const library = `lib/python${VERSION}`;
  await cp(join(source, library), join(bundle.python, library), {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => !isOmitted(relative(join(source, library), path)),
  });
  await mkdir(join(bundle.python, 'bin'), { recursive: true });
  const binary = join(bundle.python, 'bin/python3');
  await cp(join(source, `bin/python${VERSION}`), binary, { dereference: true });
  await symlink('python3', join(bundle.python, 'bin/python'));
  const shared = (await readdir(join(source, 'lib'))).filter((name) =>
    /^libpython3\.\d+\.(so\.|dylib)/.test(name),
  );
  for (const name of shared) {
    await cp(join(source, 'lib', name), join(bundle.python, 'lib', name), { dereference: true });
  }
  if (bundle.platform === 'linux' && shared.length > 0) {
    await execa(runtimeTool(bundle.root, 'patchelf'), ['--set-rpath', '$ORIGIN/../lib', binary]);
  }
}

function isOmitted(path: string): boolean {
  const [first = '', ...rest] = path.split('/');
  const isNested = rest.some((part) => part === '__pycache__' || part === 'tests');
  return OMITTED.includes(first) || first.startsWith('config-') || isNested;
}

async function localPython({ root }: Bundle): Promise<string> {
  const program = 'import sys; print(sys.base_prefix)';
  const { stdout } = await execa(runtimeTool(root, 'python'), ['-I', '-c', program]);
  return stdout;
}

async function downloadPython({ root, folder }: Bundle): Promise<string> {
  const to = join(folder, '../python-build-standalone');
  await rm(to, { recursive: true, force: true });
  const args = ['python', 'install', VERSION, '--install-dir', to, '--no-bin'];
  await runUv(root, args);
  const installed = (await readdir(to)).find((name) => name.startsWith('cpython-'));
  if (installed === undefined)
    throw new Error(`uv reported success but installed no Python in ${to}.`);
  return join(to, installed);
}
