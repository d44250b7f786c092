import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { execa } from 'execa';

/** Runs `doctor` with an empty home folder, so that no existing log matters. */
export function runDoctor(t: TestContext, ...args: string[]) {
  const home = mkdtempSync(join(tmpdir(), 'sightglass-test-'));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const env = { HOME: home, XDG_STATE_HOME: home };
  return execa(process.execPath, ['server/cli.ts', 'doctor', ...args], { reject: false, env });
}
