import { FuseState, FuseV1Options, getCurrentFuseWire } from '@electron/fuses';
import { type Finding, failed, ok, skipped } from './check.ts';
import type { Machine } from './machine.ts';

/** The fuses that keep other programs from running code as Sightglass, as electron-builder.yml sets them. */
const FUSES: readonly (readonly [FuseV1Options, boolean])[] = [
  [FuseV1Options.RunAsNode, false],
  [FuseV1Options.EnableNodeOptionsEnvironmentVariable, false],
  [FuseV1Options.EnableNodeCliInspectArguments, false],
  [FuseV1Options.EnableEmbeddedAsarIntegrityValidation, true],
  [FuseV1Options.OnlyLoadAppFromAsar, true],
  [FuseV1Options.GrantFileProtocolExtraPrivileges, false],
];

const FROM_SOURCE = 'runs from source, not from the packaged app';
const DOWNLOAD_AGAIN = 'Delete the app and install it again from the dmg.';

/** The `.app` bundle that contains these resources; undefined when run from source. */
export function packagedApp(resources: URL): string | undefined {
  return /^(.*\.app)\/Contents\/Resources\/$/.exec(decodeURIComponent(resources.pathname))?.[1];
}

/** Whether macOS accepts the app's signature. */
export async function checkSignature(app: string | undefined, machine: Machine): Promise<Finding> {
  if (app === undefined) return skipped(FROM_SOURCE);
  if (machine.platform !== 'darwin') return skipped('not a Mac');
  if (app.includes('/AppTranslocation/')) {
    return failed(
      'macOS runs the app from a temporary read-only copy',
      'Quit it, move it to Applications in Finder, and open it from there.',
    );
  }
  const verified = await machine.run('/usr/bin/codesign', ['--verify', '--deep', '--strict', app]);
  if (verified.exitCode !== 0) return failed(firstLine(verified.output), DOWNLOAD_AGAIN);
  const { output } = await machine.run('/usr/bin/codesign', ['-d', '--verbose=2', app]);
  const authority = /^Authority=(.+)$/m.exec(output)?.[1];
  if (authority === undefined) return ok('valid, ad hoc: updates cannot be installed');
  const assessed = await machine.run('/usr/sbin/spctl', ['--assess', '--type', 'execute', app]);
  if (assessed.exitCode === 0) return ok(`valid: ${authority}`);
  return failed(
    `${authority}, but Gatekeeper refuses it: ${firstLine(assessed.output)}`,
    DOWNLOAD_AGAIN,
  );
}

/** Whether Electron's fuses are as the build sets them. */
export async function checkFuses(app: string | undefined): Promise<Finding> {
  if (app === undefined) return skipped(FROM_SOURCE);
  const wire = await getCurrentFuseWire(app);
  const wrong = FUSES.filter(
    ([fuse, isOn]) => wire[fuse] !== (isOn ? FuseState.ENABLE : FuseState.DISABLE),
  );
  if (wrong.length === 0) return ok(`all ${FUSES.length} as built`);
  const names = wrong.map(([fuse]) => FuseV1Options[fuse]);
  return failed(`changed: ${names.join(', ')}`, DOWNLOAD_AGAIN);
}

function firstLine(output: string): string {
  return output.split('\n').find((line) => line.trim() !== '') ?? 'no reason given';
}
