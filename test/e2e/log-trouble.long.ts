import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { post, question, textOf } from '../support/chat.ts';
import { readUntil } from '../support/output.ts';
import { ANSWER, CLI, flood, redCircle, tempFolder } from './logging-service.ts';

test('an unread stderr pipe delays no request, and the process still exits', async (t) => {
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
