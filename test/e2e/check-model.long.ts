import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { execa } from 'execa';
import { post, question, textOf } from '../support/chat.ts';
import { readUntil } from '../support/output.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import {
  applySettings,
  demoModel,
  type RunningService,
  startService,
  until,
} from '../support/service.ts';

const image = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
const EXPECTED = 'A red circle on a white background.';

test('models check reports why a model cannot be loaded', async () => {
  const args = ['server/cli.ts', 'models', 'check', '/nowhere'];
  const { stderr, exitCode } = await execa(process.execPath, args, { reject: false });
  assert.equal(exitCode, 1);
  assert.match(stderr, /^error: The model folder \/nowhere does not exist\./m);
});

test('Ctrl-C ends models check with one line', async () => {
  const child = execa(process.execPath, ['server/cli.ts', 'models', 'check', demoModel], {
    reject: false,
  });
  await readUntil(child.stderr, /^5 of 25 answers$/m);
  child.kill('SIGINT');
  const { stderr, exitCode } = await child;
  assert.deepEqual([exitCode, stderr.split('\n').at(-1)], [130, 'Stopped.']);
});

let running: RunningService;
before(async () => {
  running = await startService();
});
after(() => running.stop());
const never = new AbortController().signal;

test('a runtime that dies during a check ends it, and the next one answers waiting requests', async () => {
  const { service } = running;
  const waiting: Promise<unknown>[] = [];
  const onProgress = (done: number) => {
    if (done !== 2) return;
    waiting.push(post(running.url, question(image)).then(textOf));
    const { state } = service.runtime;
    if (state.phase === 'ready') process.kill(state.pid, 'SIGKILL');
  };
  await assert.rejects(service.check({ signal: never, onProgress }), { name: 'RuntimeDiedError' });
  assert.deepEqual(await Promise.all(waiting), [EXPECTED]);
});

test('an idle model is not unloaded during a check', async () => {
  const { service } = running;
  const controller = new AbortController();
  const phases: string[] = [];
  service.runtime.onChange(({ phase }) => phases.push(phase));
  const onProgress = (done: number) => done === 5 && controller.abort();
  const check = service.check({ signal: controller.signal, onProgress });
  await applySettings(running, { idleUnloadMinutes: 0.0001 });
  await assert.rejects(check, { name: 'AbortError' });
  const during = phases.filter((phase) => phase !== 'ready');
  await until(running, () => service.runtime.state.phase === 'unloaded');
  assert.deepEqual(during, []);
});

test('models check reports a runtime that dies in one line', async () => {
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
