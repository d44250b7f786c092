import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ABOVE_THE_MODEL, BELOW_THE_MODEL, EXPECTED, useMemoryCeiling } from './memory-fixture.ts';

const ceiling = useMemoryCeiling();

test('a model that exceeds the ceiling on its own is kept, with one warning', async () => {
  const first = ceiling.pid();
  await ceiling.use(BELOW_THE_MODEL);
  assert.deepEqual(await Promise.all([ceiling.ask(), ceiling.ask(), ceiling.ask()]), [
    EXPECTED,
    EXPECTED,
    EXPECTED,
  ]);
  assert.equal(ceiling.pid(), first);
  const words = /^the model alone needs more memory than --memory-ceiling allows/;
  assert.equal(ceiling.lines.filter(({ msg }) => words.test(msg)).length, 1);
});

test('the runtime is not restarted during a check', async () => {
  await ceiling.use({});
  await ceiling.running.runtime();
  const first = ceiling.pid();
  const controller = new AbortController();
  const pids = new Set<number | undefined>();
  const onProgress = (done: number) => {
    pids.add(ceiling.pid());
    if (done === 1) void ceiling.use(ABOVE_THE_MODEL);
    if (done === 5) controller.abort();
  };
  const check = ceiling.running.service.check({ signal: controller.signal, onProgress });
  await assert.rejects(check, { name: 'AbortError' });
  assert.deepEqual([...pids], [first]);
  await ceiling.untilRestarted(first);
});
