import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressOf } from '../../../renderer/format.ts';
import { snapshot } from '../../support/snapshots.ts';

test('the address of a server that is off is the one it will have, if that is known', () => {
  const off = (port: number) => {
    const server = { phase: 'off' as const };
    return addressOf({ server, settings: { ...snapshot().settings, port } });
  };
  assert.deepEqual(
    [addressOf(snapshot()), off(9000), off(0)],
    ['http://127.0.0.1:8000', 'http://127.0.0.1:9000', undefined],
  );
});
