import { execa } from 'execa';

/**
 * How an app is signed: by a developer's identity, ad hoc (valid on the Mac that built it and unlike
 * every other build), or not at all. `unknown` where it cannot be asked.
 */
export type CodeSignature = 'identity' | 'adhoc' | 'none' | 'unknown';

/** Asks macOS's own `codesign` about an app bundle. */
export async function readCodeSignature(bundle: string): Promise<CodeSignature> {
  const args = ['--display', '--verbose=2', bundle];
  const { all } = await execa('/usr/bin/codesign', args, { all: true, reject: false });
  return toCodeSignature(all ?? '');
}

/** Reads what `codesign --display --verbose=2` prints. */
export function toCodeSignature(output: string): CodeSignature {
  if (output.includes('code object is not signed at all')) return 'none';
  // An arm64 binary that nobody signed still has the linker's ad-hoc signature.
  if (/^Signature=adhoc$/m.test(output)) return 'adhoc';
  return /^Authority=/m.test(output) ? 'identity' : 'unknown';
}
