import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerCommand, type CommandHandlers } from '../../../main/commands.ts';
import { toQuitChoice, toQuitQuestion } from '../../../main/quit-dialog.ts';
import { createThrottle } from '../../../main/snapshot-feed.ts';
import { toServerView } from '../../../main/views.ts';

for (const [host, url, networkUrl] of [
  ['127.0.0.1', 'http://127.0.0.1:8000', undefined],
  ['localhost', 'http://localhost:8000', undefined],
  ['0.0.0.0', 'http://127.0.0.1:8000', 'http://192.168.1.7:8000'],
  ['192.168.1.7', 'http://192.168.1.7:8000', 'http://192.168.1.7:8000'],
] as const) {
  test(`a service on ${host} is found at ${url}`, () => {
    const view = toServerView({ host }, 8000, ['192.168.1.7']);
    assert.deepEqual(view, { phase: 'on', url, ...(networkUrl ? { networkUrl } : {}) });
  });
}

test('a throttled act is done at once, then at most so often, and once for all in between', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  t.mock.method(performance, 'now', () => Date.now());
  const done: number[] = [];
  const act = createThrottle(() => done.push(Date.now()), 100);
  act();
  act();
  act();
  for (let at = 0; at < 5; at += 1) t.mock.timers.tick(100);
  act();
  assert.deepEqual(done, [0, 100, 500]);
});

test('the question on quitting counts the requests, and Escape stays', () => {
  assert.equal(toQuitQuestion(1).message, 'A request is still being answered.');
  assert.equal(toQuitQuestion(3).message, '3 requests are still being answered.');
  const { cancelId, buttons } = toQuitQuestion(2);
  assert.deepEqual(
    [0, 1, cancelId, 9].map(toQuitChoice),
    ['finish', 'now', 'stay', 'stay'],
    buttons.join(),
  );
});

const handlers = {
  cancel: ({ id }: { id: string }) => id === 'there',
  copy: () => {
    throw new Error('There is no clipboard.');
  },
  demoModel: () => 7 as unknown as string,
} as unknown as CommandHandlers;

test('a command is answered, its input and its answer held to the contract', async () => {
  const answer = (name: unknown, input?: unknown) => answerCommand(handlers, name, input);
  assert.deepEqual(await answer('cancel', { id: 'there' }), { ok: true, value: true });
  for (const [name, input, message] of [
    ['cancel', { id: 7 }, /expected string/],
    ['nothing', undefined, /Invalid option/],
    ['__proto__', undefined, /Invalid option/],
    ['copy', { text: 'x' }, /There is no clipboard/],
    ['demoModel', undefined, /expected string/],
  ] as const) {
    const reply = await answer(name, input);
    assert.match(reply.ok ? 'ok' : reply.message, message);
  }
});
