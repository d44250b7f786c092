import assert from 'node:assert/strict';
import { mock, type TestContext, test } from 'node:test';
import { HangWatch, type RuntimeProgress } from '../../../server/runtime/hang-watch.ts';
import { countTimers } from '../../support/live-timers.ts';

const at = (steps: number, active = 1): RuntimeProgress => ({
  steps,
  active,
  memory_bytes: 0,
  peak_memory_bytes: 0,
});

/** A watch of 10 s, on timers and a clock that the test moves; they differ when the machine sleeps. */
function createWatch(t: TestContext, probe: (signal: AbortSignal) => Promise<RuntimeProgress>) {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const timers = countTimers(t);
  let now = 0;
  let timeoutMs = 10_000;
  const asked = mock.fn(probe);
  const onHang = mock.fn();
  const watch = new HangWatch({
    timeoutMs: () => timeoutMs,
    probe: asked,
    onHang,
    now: () => now,
  });
  const settle = async () => {
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  };
  const pass = async (ms: number, asleepMs = 0) => {
    now += ms - asleepMs;
    mock.timers.tick(ms);
    await settle();
  };
  return {
    ...{ watch, pass, settle, timers },
    hangs: () => onHang.mock.callCount(),
    probes: () => asked.mock.callCount(),
    setTimeoutMs: (ms: number) => {
      timeoutMs = ms;
    },
  };
}

/** A probe that the test answers, or that ends with its signal. */
function createPendingProbe() {
  const answers: ((progress: RuntimeProgress) => void)[] = [];
  const probe = (signal: AbortSignal) =>
    new Promise<RuntimeProgress>((resolve, reject) => {
      answers.push(resolve);
      signal.addEventListener('abort', () => reject(signal.reason));
    });
  return { probe, answer: (progress: RuntimeProgress) => answers.shift()?.(progress) };
}

test('work without tokens or steps for the whole timeout is a hang, reported once', async (t) => {
  const { watch, pass, hangs, probes } = createWatch(t, async () => at(42));
  watch.begin();
  await pass(4999);
  assert.equal(probes(), 0);
  await pass(1);
  assert.deepEqual([probes(), hangs()], [1, 0]);
  await pass(4999);
  assert.equal(hangs(), 0);
  await pass(1);
  assert.equal(hangs(), 1);
  await pass(60_000);
  assert.equal(hangs(), 1);
});

test('a long prefill with steps but no tokens is not a hang', async (t) => {
  let steps = 0;
  const { watch, pass, hangs, probes } = createWatch(t, async () => at(++steps));
  watch.begin();
  for (let half = 0; half < 10; half += 1) await pass(5000);
  assert.deepEqual([hangs(), probes()], [0, 10]);
});

test('tokens are progress, so there is no probe', async (t) => {
  const { watch, pass, hangs, probes } = createWatch(t, async () => at(42));
  watch.begin();
  for (let second = 0; second < 60; second += 1) {
    watch.progress();
    await pass(1000);
  }
  assert.deepEqual([hangs(), probes()], [0, 0]);
});

test('the next probe comes half the timeout after the last token', async (t) => {
  const { watch, pass, probes } = createWatch(t, async () => at(42));
  watch.begin();
  await pass(3000);
  watch.progress();
  await pass(4999);
  assert.equal(probes(), 0);
  await pass(1);
  assert.equal(probes(), 1);
});

test('steps are compared with the previous ones only if no token arrived in between', async (t) => {
  const { watch, pass, hangs } = createWatch(t, async () => at(42));
  watch.begin();
  await pass(5000);
  watch.progress();
  await pass(5000);
  assert.equal(hangs(), 0);
  await pass(5000);
  assert.equal(hangs(), 1);
});

test('a token that arrives during a probe is progress', async (t) => {
  const { probe, answer } = createPendingProbe();
  const { watch, pass, settle, hangs } = createWatch(t, probe);
  watch.begin();
  await pass(5000);
  answer(at(42));
  await settle();
  await pass(5000);
  watch.progress();
  answer(at(42));
  await settle();
  assert.equal(hangs(), 0);
});

test('a runtime that refuses to answer while it has work is a hang', async (t) => {
  const { watch, pass, hangs } = createWatch(t, () => Promise.reject(new Error('no answer')));
  watch.begin();
  await pass(5000);
  assert.equal(hangs(), 1);
});

test('a runtime that does not answer a probe for half the timeout is a hang', async (t) => {
  const { watch, pass, hangs } = createWatch(t, createPendingProbe().probe);
  watch.begin();
  await pass(5000);
  await pass(4999);
  assert.equal(hangs(), 0);
  await pass(1);
  assert.equal(hangs(), 1);
});

test('a probe during which the machine slept is repeated', async (t) => {
  const { watch, pass, hangs, probes } = createWatch(t, createPendingProbe().probe);
  watch.begin();
  await pass(5000);
  await pass(5000, 4000);
  await pass(0);
  assert.deepEqual([hangs(), probes()], [0, 2]);
  await pass(5000);
  assert.equal(hangs(), 1);
});

test('sleep does not count as waiting for tokens', async (t) => {
  const { watch, pass, probes } = createWatch(t, async () => at(42));
  watch.begin();
  await pass(5000, 3000);
  assert.equal(probes(), 0);
  await pass(3000);
  assert.equal(probes(), 1);
});

test('work that ends during a probe ends the watch, regardless of the answer', async (t) => {
  for (const reply of ['an answer', 'silence']) {
    const { probe, answer } = createPendingProbe();
    const { watch, pass, settle, hangs, probes } = createWatch(t, probe);
    const end = watch.begin();
    await pass(5000);
    end();
    if (reply === 'an answer') answer(at(42));
    await settle();
    for (let half = 0; half < 4; half += 1) await pass(5000);
    assert.deepEqual([hangs(), probes()], [0, 1], reply);
    mock.timers.reset();
  }
});

test('work that starts during a probe for earlier work is timed from its own start', async (t) => {
  const { probe, answer } = createPendingProbe();
  const { watch, pass, settle, hangs, probes } = createWatch(t, probe);
  const end = watch.begin();
  await pass(5000);
  end();
  await pass(1000);
  watch.begin();
  answer(at(42)); // the one asked for the earlier work
  await settle();
  await pass(4999);
  assert.deepEqual([hangs(), probes()], [0, 1]);
  await pass(1);
  assert.equal(probes(), 2);
  answer(at(42));
  await settle();
  assert.equal(hangs(), 0, 'the steps of the earlier work are forgotten');
});

test('an answer to a probe for earlier work is ignored', async (t) => {
  const { watch, pass, hangs } = createWatch(t, async () => at(42));
  const end = watch.begin();
  await pass(5000);
  end();
  watch.begin();
  await pass(5000);
  assert.equal(hangs(), 0);
  await pass(5000);
  assert.equal(hangs(), 1);
});

test('there is one timer while there is work, and none afterwards', async (t) => {
  const { watch, pass, timers } = createWatch(t, async () => at(42, 0));
  const [first, second] = [watch.begin(), watch.begin()];
  assert.equal(timers(), 1);
  await pass(5000);
  assert.equal(timers(), 1, 'that of the question is gone');
  first();
  assert.equal(timers(), 1);
  second();
  assert.equal(timers(), 0);
});

test('an idle runtime is not watched and needs no timer', async (t) => {
  const { watch, pass, hangs, probes } = createWatch(t, async () => at(42));
  watch.begin()();
  await pass(60_000);
  assert.deepEqual([hangs(), probes()], [0, 0]);
});

test('the watch ends with the last work, even if an end is reported twice', async (t) => {
  const { watch, pass, probes } = createWatch(t, async () => at(42));
  const [first, second] = [watch.begin(), watch.begin()];
  first();
  first();
  await pass(5000);
  assert.equal(probes(), 1);
  second();
  await pass(60_000);
  assert.equal(probes(), 1);
});

test('a second request does not count as progress of the first', async (t) => {
  const { watch, pass, probes } = createWatch(t, async () => at(42));
  watch.begin();
  await pass(4000);
  watch.begin();
  await pass(1000);
  assert.equal(probes(), 1);
});

test('a client that does not read its answer is not a hang', async (t) => {
  const { watch, pass, hangs } = createWatch(t, async () => at(42, 0));
  watch.begin();
  for (let half = 0; half < 10; half += 1) await pass(5000);
  assert.equal(hangs(), 0);
});

test('a changed timeout applies from the next probe on', async (t) => {
  const { watch, pass, setTimeoutMs, hangs } = createWatch(t, async () => at(42));
  watch.begin();
  await pass(5000);
  setTimeoutMs(60_000);
  await pass(5000);
  assert.equal(hangs(), 0);
  await pass(20_000);
  assert.equal(hangs(), 0);
  await pass(29_999);
  assert.equal(hangs(), 0);
  await pass(1);
  assert.equal(hangs(), 1);
});
