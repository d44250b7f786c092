import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { endless, post, question, statsOf, textOf } from '../support/chat.ts';
import { bannerOf, LOCAL, sightglass, urlIn } from '../support/command-line.ts';
import { readUntil } from '../support/output.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';

const redCircle = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
const answer = 'A red circle on a white background.';

test('a second Ctrl-C stops immediately, and the waiting client gets an error', async (t) => {
  const child = sightglass(t, LOCAL);
  const url = urlIn(await bannerOf(child));
  const running = post(url, endless(redCircle));
  while ((await statsOf(url)).active_requests === 0) await setTimeout(20); // nothing to await
  child.kill('SIGINT');
  await readUntil(child.stderr, /press Ctrl-C again/);
  child.kill('SIGINT');
  const { status, body } = await running;
  assert.deepEqual([status, body.error.code], [503, 'request_cancelled']);
  assert.equal((await child).exitCode, 0);
});

test('a host that is not an address of this machine fails with one line and exit code 1', async (t) => {
  const { exitCode, stderr } = await sightglass(t, ['--port', '0', '--host', '192.0.2.1']);
  assert.equal(exitCode, 1);
  assert.match(stderr, /^error: Cannot listen on 192\.0\.2\.1, port 0: .*EADDRNOTAVAIL.*$/m);
});

test('listening on every address without an API key logs a warning', async (t) => {
  const child = sightglass(t, ['--port', '0', '--host', '0.0.0.0', '--log-format', 'json']);
  await readUntil(child.stderr, /without an API key: anyone on this network can use the model/);
});

test('closing the terminal (SIGHUP) lets running requests complete', async (t) => {
  const child = sightglass(t, LOCAL);
  const url = urlIn(await bannerOf(child));
  const answers = [1, 2].map(() => post(url, question(redCircle)));
  await Promise.race(answers);
  child.kill('SIGHUP');
  assert.deepEqual((await Promise.all(answers)).map(textOf), [answer, answer]);
  assert.equal((await child).exitCode, 0);
});
