import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { execa } from 'execa';
import { readUntil } from './output.ts';

/** Runs the service as `npm start` does, with a log folder of its own. */
export function sightglass(t: TestContext, args: string[]) {
  const state = mkdtempSync(join(tmpdir(), 'sightglass-test-'));
  t.after(() => rmSync(state, { recursive: true, force: true }));
  const child = execa(process.execPath, ['server/cli.ts', ...args], {
    reject: false,
    env: { XDG_STATE_HOME: state, HOME: state },
  });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

/** What the service prints once it is ready. */
export const bannerOf = (child: ReturnType<typeof sightglass>) =>
  readUntil(child.stdout, /Logs: .*\n/);

/** The service's address in what it printed. */
export const urlIn = (banner: string) => /http:\/\/127\.0\.0\.1:\d+/.exec(banner)?.[0] ?? '';

/** A free port on this machine only. */
export const LOCAL = ['--port', '0', '--host', '127.0.0.1'];
