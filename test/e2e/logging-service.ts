import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { execa } from 'execa';
import { post } from '../support/chat.ts';
import { readUntil } from '../support/output.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';

const REQUESTS = 400;

/** The image that the tests ask about. */
export const redCircle = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
/** The model's description of it. */
export const ANSWER = 'A red circle on a white background.';

/** A folder that is removed after the test. */
export function tempFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sightglass-test-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Starts a command that is killed after the test, without reading its stderr. */
export function start(
  t: TestContext,
  command: string,
  args: string[],
  env: Record<string, string>,
) {
  const child = execa(command, args, { reject: false, env, buffer: { stderr: false } });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

/** The command line of the service, on a free port. */
export const CLI = [process.execPath, 'server/cli.ts', '--port', '0', '--host', '127.0.0.1'];

/** Sends invalid requests, each of which is logged. Returns the different statuses. */
export async function flood(url: string): Promise<number[]> {
  const statuses = new Set<number>();
  for (let sent = 0; sent < REQUESTS; sent += 20) {
    const answers = Array.from({ length: 20 }, () => post(url, { messages: [] }));
    for (const { status } of await Promise.all(answers)) statuses.add(status);
  }
  return [...statuses];
}

/** The service's address, once it is ready. */
export async function urlOf(child: ReturnType<typeof start>): Promise<string> {
  const banner = await readUntil(child.stdout, /Logs: .*\n/);
  return /http:\/\/127\.0\.0\.1:\d+/.exec(banner)?.[0] ?? '';
}
