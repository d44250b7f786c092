import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { execa } from 'execa';
import { post, question, textOf } from '../support/chat.ts';
import { readUntil } from '../support/output.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';

const redCircle = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
const ANSWER = 'A red circle on a white background.';
const REQUESTS = 400;

function tempFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sightglass-test-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function start(t: TestContext, command: string, args: string[], env: Record<string, string>) {
  const child = execa(command, args, { reject: false, env, buffer: { stderr: false } });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

const CLI = [process.execPath, 'server/cli.ts', '--port', '0', '--host', '127.0.0.1'];

/** Requests that are refused, each with a line in the log. Returns the statuses that were seen. */
async function flood(url: string): Promise<number[]> {
  const statuses = new Set<number>();
  for (let sent = 0; sent < REQUESTS; sent += 20) {
    const answers = Array.from({ length: 20 }, () => post(url, { messages: [] }));
    for (const { status } of await Promise.all(answers)) statuses.add(status);
  }
  return [...statuses];
}

async function urlOf(child: ReturnType<typeof start>): Promise<string> {
  const banner = await readUntil(child.stdout, /Logs: .*\n/);
  return /http:\/\/127\.0\.0\.1:\d+/.exec(banner)?.[0] ?? '';
}

const canMount =
  process.platform === 'linux' &&
  !(await execa('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { reject: false }))
    .failed;

test('a full disk fails no request, even when the runtime is killed, and is reported once', {
  skip: !canMount && 'needs a mount namespace (Linux)',
}, async (t) => {
  const state = tempFolder(t);
  const script = `mount -t tmpfs -o size=64k tmpfs "$STATE" && exec "$@" 2>"$STDERR"`;
  const stderr = join(tempFolder(t), 'stderr');
  const env = { STATE: state, XDG_STATE_HOME: state, HOME: state, STDERR: stderr };
  const child = start(t, 'unshare', ['-rm', 'sh', '-c', script, 'sh', ...CLI], env);
  const url = await urlOf(child);
  assert.deepEqual(await flood(url), [400]);
  const { stdout: pids } = await execa('pgrep', ['-P', String(child.pid)]);
  for (const pid of pids.split('\n')) process.kill(Number(pid), 'SIGKILL');
  assert.equal(textOf(await post(url, question(redCircle))), ANSWER);
  child.kill('SIGTERM');
  assert.equal((await child).exitCode, 0);
  const warnings = readFileSync(stderr, 'utf8').match(/Cannot write the log file in/g);
  assert.equal(warnings?.length, 1);
});

test('an unread stderr pipe delays no request, and the process still ends', async (t) => {
  const state = tempFolder(t);
  const [command = '', ...args] = [...CLI, '--log-level', 'trace', '--log-format', 'json'];
  const env = { ...process.env, XDG_STATE_HOME: state, HOME: state };
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  const banner = await readUntil(child.stdout, /Logs: .*\n/);
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(banner)?.[0] ?? '';
  assert.deepEqual(await flood(url), [400]);
  assert.equal(textOf(await post(url, question(redCircle))), ANSWER);
  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});

test('closing the terminal (SIGHUP) lets running requests complete', async (t) => {
  const state = tempFolder(t);
  const [command = '', ...args] = CLI;
  const child = start(t, command, args, { XDG_STATE_HOME: state, HOME: state });
  child.stderr?.resume();
  const url = await urlOf(child);
  const answers = [1, 2].map(() => post(url, question(redCircle)));
  await Promise.race(answers);
  child.kill('SIGHUP');
  assert.deepEqual((await Promise.all(answers)).map(textOf), [ANSWER, ANSWER]);
  assert.equal((await child).exitCode, 0);
});
