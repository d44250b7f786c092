import assert from 'node:assert/strict';
import { test } from 'node:test';
import { placePanel } from '../../../main/panel.ts';

const panel = { width: 400, height: 600 };
const workArea = { x: 0, y: 25, width: 1440, height: 875 };
const icon = (x: number, y = 0) => ({ x, y, width: 20, height: 25 });

test('the panel opens centered below its icon', () => {
  assert.deepEqual(placePanel(icon(700), panel, workArea), { x: 510, y: 29 });
});

test('the panel stays inside the display', () => {
  assert.equal(placePanel(icon(1420), panel, workArea).x, 1036);
  assert.equal(placePanel(icon(5), panel, workArea).x, 4);
});

test('the panel opens on the display that has the icon', () => {
  const second = { x: 1440, y: -100, width: 1000, height: 800 };
  assert.deepEqual(placePanel(icon(2000, -125), panel, second), { x: 1810, y: -96 });
});

for (const [why, hidden] of [
  ['macOS tells a place below the screen', icon(700, 900)],
  ['it has no size', { x: 0, y: 0, width: 0, height: 0 }],
] as const) {
  test(`if the icon is hidden, the panel opens in the upper right corner: ${why}`, () => {
    assert.deepEqual(placePanel(hidden, panel, workArea), { x: 1036, y: 29 });
  });
}
