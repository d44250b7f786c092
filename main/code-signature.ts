import { execa } from 'execa';

/**
 * How an app is signed: with a developer's identity, ad hoc (each build is a different app to macOS),
 * or not at all. `unknown` if codesign does not say.
 */
export type CodeSignature = 'identity' | 'adhoc' | 'none' | 'unknown';

/** Reads the signature of an app bundle with macOS's `codesign`. */
export async function readCodeSignature(bundle: string): Promise<CodeSignature> {
  const args = ['--display', '--verbose=2', bundle];
  const { all } = await execa('/usr/bin/codesign', args, { all: true, reject: false });
  return toCodeSignature(all ?? '');
}

/** Reads what `codesign --display --verbose=2` prints. */
export function toCodeSignature(output: string): CodeSignature {
  if (output.includes('code object is not signed at all')) return 'none';
  // Even an unsigned arm64 binary has the linker's ad hoc signature.
  if (/^Signature=adhoc$/m.test(output)) return 'adhoc';
  return /^Authority=/m.test(output) ? 'identity' : 'unknown';
}
