import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressOf } from '../../../renderer/labels.ts';
import { snapshot } from '../../support/snapshots.ts';

test('a stopped server shows the address it will have, if it is known', () => {
  const off = (port: number) => {
    const server = { phase: 'off' as const };
    return addressOf({ server, settings: { ...snapshot().settings, port } });
  };
  assert.deepEqual(
    [addressOf(snapshot()), off(9000), off(0)],
    ['http://127.0.0.1:8000', 'http://127.0.0.1:9000', undefined],
  );
});
