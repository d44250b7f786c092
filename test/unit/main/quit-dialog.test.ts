import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toQuitChoice, toQuitDialog } from '../../../main/quit-dialog.ts';

test('the quit dialog counts requests, and Escape cancels it', () => {
  assert.equal(toQuitDialog(1).message, '1 request is still being answered.');
  assert.equal(toQuitDialog(3).message, '3 requests are still being answered.');
  const { cancelId, buttons } = toQuitDialog(2);
  assert.deepEqual(
    [0, 1, cancelId, 9].map(toQuitChoice),
    ['finish', 'now', 'stay', 'stay'],
    buttons.join(),
  );
});
