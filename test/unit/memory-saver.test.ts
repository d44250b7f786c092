import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import pino from 'pino';
import { Activity } from '../../server/activity.ts';
import { type MemoryLimits, MemorySaver } from '../../server/memory-saver.ts';
import type { RuntimeSupervisor } from '../../server/runtime/supervisor.ts';
import { readyLine } from '../support/stub-runtimes.ts';

const MINUTE = 60_000;

/** A saver over a runtime that only notes what it is asked for. */
function setUp(t: TestContext, limits: Partial<MemoryLimits>) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const asked: string[] = [];
  const logged: [number, string][] = [];
  const listeners = new Set<() => void>();
  let state: object = { phase: 'loading' };
  const runtime = {
    get state() {
      return state;
    },
    onChange(listener: () => void) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    unload: async () => void asked.push('unload'),
    restart: async () => void asked.push('restart'),
  } as unknown as RuntimeSupervisor;
  const activity = new Activity();
  const log = pino(
    { level: 'info' },
    {
      write: (text) => {
        const { level, msg } = JSON.parse(text);
        logged.push([level, msg]);
      },
    },
  );
  const all = { idleMinutes: undefined, ceilingBytes: undefined, ...limits };
  const saver = new MemorySaver(activity, runtime, all, log);
  const become = (next: object) => {
    state = next;
    for (const listener of listeners) listener();
  };
  const ready = (memoryBytes = 5, pid = 1) =>
    become({ phase: 'ready', model: readyLine, memoryBytes, pid });
  let count = 0;
  const request = async () => {
    const record = activity.begin(
      { id: `${count++}`, kind: 'text', stream: false, client: '' },
      () => {},
    );
    await Promise.resolve(); // listeners are called in a microtask
    return async () => {
      activity.end(record, 'ok');
      await Promise.resolve();
    };
  };
  const pass = (ms: number) => t.mock.timers.tick(ms);
  return { saver, asked, logged, become, ready, request, pass, all };
}

test('a model is unloaded after the set minutes without work', (t) => {
  const { asked, ready, pass } = setUp(t, { idleMinutes: 2 });
  ready();
  pass(2 * MINUTE - 1);
  assert.deepEqual(asked, []);
  pass(1);
  assert.deepEqual(asked, ['unload']);
});

test('the minutes count from the end of the last request', async (t) => {
  const { asked, ready, request, pass } = setUp(t, { idleMinutes: 1 });
  ready();
  pass(MINUTE / 2);
  const [first, second] = [await request(), await request()];
  pass(10 * MINUTE);
  await first();
  pass(10 * MINUTE);
  assert.deepEqual(asked, []);
  await second();
  pass(MINUTE - 1);
  assert.deepEqual(asked, []);
  pass(1);
  assert.deepEqual(asked, ['unload']);
});

test('changes other than requests do not postpone unloading', (t) => {
  const { asked, ready, pass } = setUp(t, { idleMinutes: 1 });
  ready();
  pass(MINUTE / 2);
  ready(6);
  pass(MINUTE / 2);
  assert.deepEqual(asked, ['unload']);
});

test('a model that is not ready is not unloaded', (t) => {
  const { asked, ready, become, pass } = setUp(t, { idleMinutes: 1 });
  pass(MINUTE);
  ready();
  pass(MINUTE / 2);
  become({ phase: 'crashed' });
  pass(10 * MINUTE);
  assert.deepEqual(asked, []);
});

test('without the setting nothing is unloaded, and a new setting restarts the timer', (t) => {
  const { asked, saver, ready, pass, all } = setUp(t, {});
  ready();
  pass(100 * MINUTE);
  assert.deepEqual(asked, []);
  saver.setLimits({ ...all, idleMinutes: 2 });
  pass(MINUTE);
  saver.setLimits({ ...all, idleMinutes: 3 });
  pass(3 * MINUTE - 1);
  assert.deepEqual(asked, []);
  saver.setLimits({ ...all, idleMinutes: 3 });
  pass(1);
  assert.deepEqual(asked, ['unload'], 'setting the same value does not restart the timer');
});

test('while suspended, even several times, nothing is unloaded or restarted', (t) => {
  const { asked, saver, ready, pass } = setUp(t, { idleMinutes: 1, ceilingBytes: 10 });
  const [first, second] = [saver.suspend(), saver.suspend()];
  ready(11);
  pass(MINUTE);
  first();
  pass(MINUTE);
  assert.deepEqual(asked, []);
  second();
  assert.deepEqual(asked, ['restart']);
  pass(MINUTE);
  assert.deepEqual(asked, ['restart', 'unload']);
});

test('a suspension stops the timer', (t) => {
  const { asked, saver, ready, pass } = setUp(t, { idleMinutes: 1 });
  ready();
  pass(MINUTE / 2);
  const resume = saver.suspend();
  pass(MINUTE);
  resume();
  pass(MINUTE - 1);
  assert.deepEqual(asked, []);
  pass(1);
  assert.deepEqual(asked, ['unload']);
});

test('a runtime above its ceiling is restarted once, and the next one again', (t) => {
  const { asked, logged, ready } = setUp(t, { ceilingBytes: 10 });
  ready(10);
  assert.deepEqual(asked, []);
  ready(11);
  ready(12);
  assert.deepEqual(asked, ['restart']);
  ready(5, 2);
  ready(11, 2);
  assert.deepEqual(asked, ['restart', 'restart']);
  assert.match(logged[0]?.[1] ?? '', /more memory than --memory-ceiling allows; restarting/);
  assert.equal(logged.length, 2);
});

test('a model that alone exceeds the ceiling stays loaded, with one warning', (t) => {
  const { asked, logged, ready } = setUp(t, { ceilingBytes: 4 });
  ready(5);
  ready(6);
  assert.deepEqual(asked, []);
  assert.equal(logged.length, 1);
  assert.deepEqual(logged[0]?.[0], 40);
});

test('a model that alone is exactly at the ceiling is restarted when it has grown', (t) => {
  const { asked, ready } = setUp(t, { ceilingBytes: 5 });
  ready(6);
  assert.deepEqual(asked, ['restart']);
});

test('a new ceiling is checked again', (t) => {
  const { asked, saver, ready, all } = setUp(t, { ceilingBytes: 10 });
  ready(11);
  saver.setLimits({ ...all, ceilingBytes: 9 });
  assert.deepEqual(asked, ['restart', 'restart']);
});

test('a closed saver does nothing', async (t) => {
  const { asked, saver, ready, request, pass } = setUp(t, { idleMinutes: 1, ceilingBytes: 10 });
  ready();
  saver.close();
  pass(MINUTE);
  ready(11);
  const end = await request();
  await end();
  pass(MINUTE);
  assert.deepEqual(asked, []);
});
