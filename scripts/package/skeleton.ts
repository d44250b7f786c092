import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** The bytes that @electron/fuses looks for in Electron's binary: a sentinel, version 1, nine fuses. */
const FUSE_WIRE = Buffer.concat([
  Buffer.from('dL7pKGdnNz796PbbjQWNKmHXBZaB9tsX'),
  Buffer.from([1, 9]),
  Buffer.from('101001110'),
]);
/** The start of a Mach-O header for arm64. */
const PROGRAM = Buffer.from('cffaedfe0c00000100000000020000000000000000000000', 'hex');
const DATA = Buffer.alloc(64);
const HELPERS = ['', ' (GPU)', ' (Plugin)', ' (Renderer)'];

/** Writes the files of Electron's macOS distribution with placeholder contents, which cannot run. */
export async function writeSkeleton(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  const contents = join(folder, 'Electron.app/Contents');
  await put(join(contents, 'MacOS/Electron'), PROGRAM, 0o755);
  await put(join(contents, 'Info.plist'), plist('Electron'));
  await put(join(contents, 'Resources/electron.icns'), '');
  const frameworks = join(contents, 'Frameworks');
  await putFramework(join(frameworks, 'Electron Framework.framework'), {
    'Electron Framework': Buffer.concat([PROGRAM, FUSE_WIRE]),
    'Helpers/chrome_crashpad_handler': PROGRAM,
    'Libraries/libffmpeg.dylib': PROGRAM,
    'Resources/Info.plist': DATA,
    'Resources/icudtl.dat': DATA,
    'Resources/resources.pak': DATA,
    'Resources/v8_context_snapshot.arm64.bin': DATA,
    'Resources/en.lproj/locale.pak': DATA,
    'Resources/de.lproj/locale.pak': DATA,
  });
  await putFramework(join(frameworks, 'Squirrel.framework'), {
    Squirrel: PROGRAM,
    'Resources/ShipIt': PROGRAM,
  });
  for (const kind of HELPERS) {
    const helper = join(frameworks, `Electron Helper${kind}.app/Contents`);
    await put(join(helper, `MacOS/Electron Helper${kind}`), PROGRAM, 0o755);
    await put(join(helper, 'Info.plist'), plist(`Electron Helper${kind}`));
  }
  await put(join(folder, 'LICENSE'), '');
  await put(join(folder, 'version'), '45.4.1');
}

/** Writes a framework: its version folder and the links to its contents. */
async function putFramework(folder: string, files: Record<string, Buffer>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await put(join(folder, 'Versions/A', name), content, 0o755);
  }
  await symlink('A', join(folder, 'Versions/Current'));
  const topLevel = new Set(Object.keys(files).map((name) => name.split('/')[0] ?? name));
  for (const name of topLevel) await symlink(`Versions/Current/${name}`, join(folder, name));
}

async function put(path: string, content: string | Buffer, mode = 0o644): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content, { mode });
}

function plist(name: string): string {
  const keys = {
    CFBundleExecutable: name,
    CFBundleIdentifier: 'com.github.electron',
    CFBundleName: name,
    CFBundlePackageType: 'APPL',
  };
  const entries = Object.entries(keys).map(
    ([key, value]) => `<key>${key}</key><string>${value}</string>`,
  );
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>${entries.join('')}</dict></plist>
`;
}
