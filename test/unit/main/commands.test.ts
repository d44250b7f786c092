import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerCommand, type CommandHandlers } from '../../../main/commands.ts';

const handlers = {
  cancel: ({ id }: { id: string }) => id === 'there',
  copy: () => {
    throw new Error('There is no clipboard.');
  },
  demoModel: () => 7 as unknown as string,
} as unknown as CommandHandlers;

test('the input and output of a command are validated against the contract', async () => {
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
