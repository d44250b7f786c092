import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** What @electron/fuses looks for in Electron's binary: a sentinel, version 1, nine fuses. */
const FUSE_WIRE = Buffer.concat([
  Buffer.from('dL7pKGdnNz796PbbjQWNKmHXBZaB9tsX'),
  Buffer.from([1, 9]),
  Buffer.from('101001110'),
]);
const HELPERS = ['', ' (GPU)', ' (Plugin)', ' (Renderer)'];

/** The places of Electron's distribution for a Mac, with nothing in them that runs. */
export async function writeSkeleton(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  const contents = join(folder, 'Electron.app/Contents');
  const framework = join(contents, 'Frameworks/Electron Framework.framework/Electron Framework');
  await put(join(contents, 'MacOS/Electron'), 'stub', 0o755);
  await put(join(contents, 'Info.plist'), plist('Electron'));
  await put(join(contents, 'Resources/electron.icns'), '');
  await put(framework, FUSE_WIRE, 0o755);
  for (const kind of HELPERS) {
    const helper = join(contents, `Frameworks/Electron Helper${kind}.app/Contents`);
    await put(join(helper, `MacOS/Electron Helper${kind}`), 'stub', 0o755);
    await put(join(helper, 'Info.plist'), plist(`Electron Helper${kind}`));
  }
  await put(join(folder, 'LICENSE'), '');
  await put(join(folder, 'version'), '45.4.1');
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
