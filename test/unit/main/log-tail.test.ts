import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogTail } from '../../../main/log-tail.ts';
import type { LogLine } from '../../../server/contract.ts';

const line = (fields: object) => JSON.stringify({ level: 30, time: 7, pid: 1, ...fields });

test('a line shows its message and its fields', () => {
  const tail = new LogTail();
  tail.write(line({ level: 50, msg: 'request', id: 'req-1', tokens: 3, err: { message: 'no' } }));
  assert.deepEqual(tail.lines(), [
    { number: 0, at: 7, level: 'error', text: 'request  id=req-1  tokens=3  err={"message":"no"}' },
  ]);
});

test('the last thousand lines are kept', () => {
  const tail = new LogTail();
  for (let at = 0; at < 1500; at += 1) tail.write(line({ msg: `line ${at}` }));
  const lines = tail.lines();
  assert.deepEqual([lines.length, lines[0]?.number, lines.at(-1)?.text], [1000, 500, 'line 1499']);
});

test('a watcher receives new lines in batches until it stops watching', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const tail = new LogTail();
  const batches: string[][] = [];
  tail.write(line({ msg: 'before' }));
  tail.watch((lines: LogLine[]) => batches.push(lines.map(({ text }) => text)));
  tail.write(line({ msg: 'a' }));
  tail.write(line({ msg: 'b' }));
  t.mock.timers.tick(100);
  tail.write(line({ msg: 'c' }));
  tail.unwatch();
  t.mock.timers.tick(100);
  assert.deepEqual(batches, [['a', 'b']]);
});

test('reopening the log shows no line twice', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const tail = new LogTail();
  const open = () => {
    const shown: number[] = [];
    tail.watch((lines) => shown.push(...lines.map(({ number }) => number)));
    shown.push(...tail.lines().map(({ number }) => number));
    return shown;
  };
  const first = open();
  tail.write(line({ msg: 'a' }));
  const second = open(); // as after a reload, without `unwatch`
  t.mock.timers.tick(100);
  tail.write(line({ msg: 'b' }));
  tail.unwatch();
  const third = open();
  tail.write(line({ msg: 'c' }));
  t.mock.timers.tick(100);
  assert.deepEqual([first, second, third], [[], [0], [0, 1, 2]]);
});
