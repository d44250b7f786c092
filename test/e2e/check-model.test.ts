import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { execa } from 'execa';
import { post, question, textOf } from '../support/chat.ts';
import { drawShape, toDataUrl } from '../support/pictures.ts';
import { demoModel, type RunningService, startService } from '../support/service.ts';

const image = toDataUrl(await drawShape({ shape: 'circle', color: 'red' }), 'image/png');
const EXPECTED = 'A red circle on a white background.';

test('models check --json reports what it found', async () => {
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

let running: RunningService;
before(async () => {
  running = await startService();
});
after(() => running.stop());
test('requests that arrive during a check wait for its end, even if it is cancelled', async () => {
  const { service, url } = running;
  const ended: string[] = [];
  const controller = new AbortController();
  const started = Promise.withResolvers<void>();
  const onProgress = (done: number) => {
    started.resolve();
    if (done === 4) controller.abort();
  };
  const check = service.check({ signal: controller.signal, onProgress });
  const cancelled = assert.rejects(check, { name: 'AbortError' }).then(() => ended.push('check'));
  await started.promise;
  const response = await post(url, question(image));
  ended.push('answer');
  await cancelled;
  assert.equal(textOf(response), EXPECTED);
  assert.deepEqual(ended, ['check', 'answer']);
});
