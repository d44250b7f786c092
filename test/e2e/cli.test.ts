import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { execa } from 'execa';
import { endless, post, question, textOf } from '../support/chat.ts';
import { bannerOf, LOCAL, sightglass, urlIn } from '../support/command-line.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';

const redCircle = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
const answer = 'A red circle on a white background.';

test('a service from start to SIGTERM', async (t) => {
  const child = sightglass(t, [...LOCAL, '--log-format', 'json']);
  const banner = await bannerOf(child);
  const url = urlIn(banner);

  await t.test('it prints its address, a curl command and the log file', async () => {
    assert.match(banner, /Sightglass serves demo on http:\/\/127\.0\.0\.1:\d+\/v1\n/);
    assert.match(banner, /\nLogs: .*current\.log\n/);
    const line = /^ {2}(curl .*)$/m.exec(banner)?.[1] ?? '';
    const { stdout } = await execa('sh', ['-c', `${line} --silent`]);
    assert.equal(JSON.parse(stdout).choices[0].message.content, answer);
  });

  // Long enough to measure a token rate, even if the first tokens arrive late.
  const long = { ...endless(redCircle), max_tokens: 40 };
  await post(url, long, { headers: { 'x-request-id': 'asked' } });
  await post(url, { messages: [] }, { headers: { 'x-request-id': 'refused' } });

  await t.test('an open connection without a request does not delay the exit', async () => {
    const silent = connect(Number(new URL(url).port), '127.0.0.1');
    await once(silent, 'connect');
    child.kill('SIGTERM');
    assert.equal((await child).exitCode, 0);
  });

  await t.test('every request is logged in one line with its outcome', async () => {
    const { stderr } = await child;
    const lines = stderr.split('\n').map((line) => JSON.parse(line));
    const [asked, ...others] = lines.filter(({ id }) => id === 'asked');
    assert.deepEqual(
      [asked.kind, asked.stream, asked.outcome, others.length],
      ['vision', false, 'ok', 0],
    );
    for (const name of ['queueWaitMs', 'firstTokenMs', 'durationMs', 'tokens', 'tokensPerSecond']) {
      assert.equal(typeof asked[name], 'number', name);
    }
    assert.deepEqual(
      lines.filter(({ id }) => id === 'refused').map(({ status, outcome }) => [status, outcome]),
      [[400, 'invalid_request_error']],
    );
  });
});

test('Ctrl-C lets running and waiting requests complete, then exits with code 0', async (t) => {
  const child = sightglass(t, LOCAL);
  const url = urlIn(await bannerOf(child));
  const answers = [1, 2, 3].map(() => post(url, question(redCircle)));
  await Promise.race(answers);
  child.kill('SIGINT');
  assert.deepEqual((await Promise.all(answers)).map(textOf), [answer, answer, answer]);
  assert.equal((await child).exitCode, 0);
});

test('a port in use fails with the next free port', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  t.after(() => other.close());
  await once(other, 'listening');
  const { port } = other.address() as { port: number };
  const { exitCode, stderr } = await sightglass(t, ['--port', `${port}`, '--host', '127.0.0.1']);
  assert.equal(exitCode, 1);
  assert.match(
    stderr,
    new RegExp(`^error: Port ${port} is already in use\\. Try --port \\d+\\.$`, 'm'),
  );
});

test('a missing model folder fails with one line, a remedy and exit code 1', async (t) => {
  const args = ['--port', '0', '--host', '127.0.0.1', '--model-path', '/no/such/model'];
  const { exitCode, stderr } = await sightglass(t, [...args, '--log-level', 'silent']);
  assert.equal(exitCode, 1);
  assert.match(
    stderr,
    /^error: The model folder \/no\/such\/model does not exist\. Choose the .*$/,
  );
});

test('an unknown flag fails with one line on stderr and exit code 2', async (t) => {
  const { exitCode, stderr, stdout } = await sightglass(t, ['--colour', 'red']);
  assert.deepEqual(
    [exitCode, stdout, stderr],
    [2, '', "error: unknown option '--colour' (see --help)"],
  );
});

test('--help explains every flag', async (t) => {
  const { exitCode, stdout } = await sightglass(t, ['--help']);
  assert.equal(exitCode, 0);
  for (const flag of [
    '--model-path',
    '--queue-policy',
    '--max-streams',
    '--api-key',
    '--log-format',
  ]) {
    assert.match(stdout, new RegExp(`^ {2}${flag}.* {2,}\\S`, 'm'));
  }
});
