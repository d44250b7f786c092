import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { HangWatch, type RuntimeProgress } from '../../../server/runtime/hang-watch.ts';

const at = async (steps: number, active = 1) => ({
  steps,
  active,
  memory_bytes: 0,
  peak_memory_bytes: 0,
});

/** A watch of 10 s over a runtime whose steps the test counts, on a clock the test moves. */
function createWatch(
  t: { after: (fn: () => void) => void },
  probe: () => Promise<RuntimeProgress>,
) {
  mock.timers.enable({ apis: ['setTimeout'] });
  let now = 0;
  const clock = mock.method(performance, 'now', () => now);
  t.after(() => {
    mock.timers.reset();
    clock.mock.restore();
  });
  const onHang = mock.fn();
  const watch = new HangWatch({ timeoutMs: 10_000, probe, onHang });
  const pass = async (ms: number) => {
    now += ms;
    mock.timers.tick(ms);
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
  };
  return { watch, pass, hangs: () => onHang.mock.callCount() };
}

test('work without tokens and without steps for the whole time is a hang', async (t) => {
  const { watch, pass, hangs } = createWatch(t, () => at(42));
  watch.begin();
  await pass(5000);
  assert.equal(hangs(), 0);
  await pass(5000);
  assert.equal(hangs(), 1);
});

test('a long prefill, which makes steps but no tokens, is no hang', async (t) => {
  let steps = 0;
  const { watch, pass, hangs } = createWatch(t, () => {
    steps += 1;
    return at(steps);
  });
  watch.begin();
  for (let half = 0; half < 10; half += 1) await pass(5000);
  assert.equal(hangs(), 0);
});

test('tokens are progress', async (t) => {
  const { watch, pass, hangs } = createWatch(t, () => at(42));
  watch.begin();
  for (let second = 0; second < 60; second += 1) {
    watch.progress();
    await pass(1000);
  }
  assert.equal(hangs(), 0);
});

test('a runtime that does not answer while it has work is a hang', async (t) => {
  const { watch, pass, hangs } = createWatch(t, () => Promise.reject(new Error('no answer')));
  watch.begin();
  await pass(5000);
  assert.equal(hangs(), 1);
});

test('an idle runtime is not watched, and costs no timer', async (t) => {
  const probe = mock.fn(() => at(42));
  const { watch, pass, hangs } = createWatch(t, probe);
  const end = watch.begin();
  end();
  await pass(60_000);
  assert.deepEqual([hangs(), probe.mock.callCount()], [0, 0]);
});

test('a client that does not read what was generated long ago is no hang of the runtime', async (t) => {
  const { watch, pass, hangs } = createWatch(t, () => at(42, 0));
  watch.begin();
  for (let half = 0; half < 10; half += 1) await pass(5000);
  assert.equal(hangs(), 0);
});
