import assert from 'node:assert/strict';
import { test } from 'node:test';
import { execa } from 'execa';
import { post, question, textOf } from '../support/chat.ts';
import { readUntil } from '../support/output.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { demoModel, startService, until } from '../support/service.ts';

const image = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
const EXPECTED = 'A red circle on a white background.';

test('the command line checks a model, and says what it found as JSON', async () => {
  const args = ['server/cli.ts', 'models', 'check', demoModel, '--json'];
  const { stdout } = await execa(process.execPath, args);
  const { model, questions, differing, speeds, memoryBytes, recommended } = JSON.parse(stdout);
  assert.deepEqual([model, questions, differing], ['demo', 8, []]);
  assert.deepEqual(
    speeds.map(({ streams }: { streams: number }) => streams),
    [1, 2, 4],
  );
  assert.ok(memoryBytes > 3_000_000);
  assert.ok([1, 2, 4].includes(recommended));
});

test('a model that cannot be loaded is not checked, and says why', async () => {
  const args = ['server/cli.ts', 'models', 'check', '/nowhere'];
  const { stderr, exitCode } = await execa(process.execPath, args, { reject: false });
  assert.equal(exitCode, 1);
  assert.match(stderr, /^error: The model folder \/nowhere does not exist\./m);
});

test('Ctrl-C ends a check in one line', async () => {
  const child = execa(process.execPath, ['server/cli.ts', 'models', 'check', demoModel], {
    reject: false,
  });
  await readUntil(child.stderr, /^5 of 25 answers$/m);
  child.kill('SIGINT');
  const { stderr, exitCode } = await child;
  assert.deepEqual([exitCode, stderr.split('\n').at(-1)], [130, 'Stopped.']);
});

test('a runtime that dies under the command is told in one line', async () => {
  const child = execa(process.execPath, ['server/cli.ts', 'models', 'check', demoModel], {
    reject: false,
  });
  await readUntil(child.stderr, /^5 of 25 answers$/m);
  const { stdout } = await execa('pgrep', ['-P', `${child.pid}`]);
  for (const pid of stdout.split('\n')) process.kill(Number(pid), 'SIGKILL');
  const { stderr, exitCode } = await child;
  assert.equal(exitCode, 1);
  assert.match(stderr.split('\n').at(-1) ?? '', /^error: .*runtime/);
});

test('while a model is checked the line is held, and what waits is answered after', async () => {
  const running = await startService();
  try {
    const { service, url } = running;
    const ended: string[] = [];
    const started = Promise.withResolvers<void>();
    const check = service
      .check({ signal: new AbortController().signal, onProgress: () => started.resolve() })
      .then(() => ended.push('check'));
    await started.promise;
    const answer = post(url, question(image)).then((response) => {
      ended.push('answer');
      return response;
    });
    assert.equal(textOf(await answer), EXPECTED);
    await check;
    assert.deepEqual(ended, ['check', 'answer']);
  } finally {
    await running.stop();
  }
});

test('a check that is stopped lets the line go', async () => {
  const running = await startService();
  try {
    const controller = new AbortController();
    const onProgress = (done: number) => done === 2 && controller.abort();
    const check = running.service.check({ signal: controller.signal, onProgress });
    await assert.rejects(check, { name: 'AbortError' });
    assert.equal(textOf(await post(running.url, question(image))), EXPECTED);
  } finally {
    await running.stop();
  }
});

test('a check is no idleness: the model is not unloaded under it', async () => {
  const running = await startService({ idleUnloadMinutes: 0.0001 });
  try {
    const { service } = running;
    const options = { signal: new AbortController().signal, onProgress: () => {} };
    assert.deepEqual((await service.check(options)).differing, []);
    await until(running, () => service.runtime.state.phase === 'unloaded');
  } finally {
    await running.stop();
  }
});

test('a runtime that dies under a check ends it, and the next one answers what waits', async () => {
  const running = await startService();
  try {
    const { service } = running;
    const waiting: Promise<unknown>[] = [];
    const onProgress = (done: number) => {
      if (done !== 2) return;
      waiting.push(post(running.url, question(image)).then(textOf));
      const { state } = service.runtime;
      if (state.phase === 'ready') process.kill(state.pid, 'SIGKILL');
    };
    const check = service.check({ signal: new AbortController().signal, onProgress });
    await assert.rejects(check, { name: 'RuntimeDiedError' });
    assert.deepEqual(await Promise.all(waiting), [EXPECTED]);
  } finally {
    await running.stop();
  }
});
