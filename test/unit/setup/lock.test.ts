import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { withSetupLock } from '../../../scripts/setup-lock.mjs';
import { processStart, runStep } from '../../../scripts/setup-step.mjs';

const scripts = new URL('../../../scripts/', import.meta.url);

function createRoot(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), 'sightglass-lock-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

/** Another setup of the same folder, in a step that prints its own pid and then sleeps. */
async function startSetup(t: TestContext, root: string, trap = '') {
  const program = `
    import { withSetupLock } from '${scripts}setup-lock.mjs';
    import { runStep } from '${scripts}setup-step.mjs';
    await withSetupLock('${root}', () => runStep('${root}', {
      title: 'Sleeping', command: 'sh', args: ['-c', '${trap} echo $$ > pid; exec sleep 1000'], env: process.env, remedy: '',
    }));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program]);
  t.after(() => child.kill('SIGKILL'));
  await until(child, /Sleeping/);
  const file = join(root, 'resources/runtime/.setup/step');
  while (!existsSync(file) || !existsSync(join(root, 'pid'))) await setTimeout(5);
  return { child, step: Number(readFileSync(file, 'utf8').split('\n')[0]) };
}

/** Keeps reading afterwards, so that the child can keep writing. */
function until(child: ChildProcess, pattern: RegExp): Promise<void> {
  let text = '';
  return new Promise((resolve) => {
    child.stderr?.on('data', (chunk) => {
      text += chunk;
      if (pattern.test(text)) resolve();
    });
  });
}

test('the lock of a killed setup is taken over, and what it left running is killed', async (t) => {
  const root = createRoot(t);
  const { child, step } = await startSetup(t, root);
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.notEqual(processStart(step), undefined);
  let isRunning: unknown;
  await withSetupLock(root, async () => {
    isRunning = processStart(step);
  });
  assert.equal(isRunning, undefined);
});

test('a setup that is stopped ends its command, even one that ignores SIGTERM as npm does, then the lock', async (t) => {
  const root = createRoot(t);
  const { child, step } = await startSetup(t, root, 'trap "" TERM;');
  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'exit'), [130, null]);
  assert.equal(processStart(step), undefined);
  assert.equal(existsSync(join(root, 'resources/runtime/.setup/lock')), false);
});

test('a setup waits until another one has ended', async (t) => {
  const root = createRoot(t);
  const order: string[] = [];
  const run = (name: string) =>
    withSetupLock(root, async () => {
      order.push(`${name} begins`);
      await new Promise(setImmediate);
      order.push(`${name} ends`);
    });
  await Promise.all([run('one'), run('two')]);
  const [first] = order[0]?.split(' ') ?? [];
  assert.deepEqual(order.slice(0, 2), [`${first} begins`, `${first} ends`]);
  assert.equal(order.length, 4);
});

test('a pid that now belongs to another process does not hold the lock', async (t) => {
  const root = createRoot(t);
  await withSetupLock(root, async () => {});
  writeFileSync(join(root, 'resources/runtime/.setup/lock'), `${process.pid}\nanother start`);
  let ran = false;
  await withSetupLock(root, async () => {
    ran = true;
  });
  assert.equal(ran, true);
});

test('an error ends setup on a terminal too, where a line counts the seconds', () => {
  const program = `
    import { reportSetupFailure, SetupError, showProgress } from '${scripts}setup-step.mjs';
    process.stderr.isTTY = true;
    showProgress('Installing');
    reportSetupFailure(new SetupError('The disk is full.'));`;
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  assert.deepEqual([status, /The disk is full\./.test(stderr)], [1, true]);
});

test('a command whose record cannot be written is ended, and the error reported', async (t) => {
  const root = createRoot(t);
  await withSetupLock(root, async () => {
    mkdirSync(join(root, 'resources/runtime/.setup/step'));
    const step = { title: 'Sleeping', command: 'sleep', args: ['1000'], remedy: '' };
    await assert.rejects(runStep(root, { ...step, env: process.env }), { code: 'EISDIR' });
    rmSync(join(root, 'resources/runtime/.setup/step'), { recursive: true });
  });
});
