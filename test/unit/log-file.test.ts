import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { LogFile } from '../../server/log.ts';

function tempFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sightglass-log-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test('the newest five files are kept, and current.log links to the newest', (t) => {
  const folder = tempFolder(t);
  const onFailure = (error: Error) => assert.fail(error);
  const file = new LogFile(folder, { onFailure, maxBytes: 10 });
  for (let line = 1; line <= 8; line++) file.write(`line no. ${line}\n`);
  assert.deepEqual(readdirSync(folder).sort(), [
    'current.log',
    ...[4, 5, 6, 7, 8].map((number) => `sightglass.${number}.log`),
  ]);
  assert.equal(readFileSync(join(folder, 'current.log'), 'utf8'), 'line no. 8\n');
});

test('a second instance appends to the newest file', (t) => {
  const folder = tempFolder(t);
  const options = { onFailure: (error: Error) => assert.fail(error) };
  const [first, second] = [new LogFile(folder, options), new LogFile(folder, options)];
  first.write('a\n');
  second.write('b\n');
  first.write('c\n');
  assert.equal(readFileSync(join(folder, 'current.log'), 'utf8'), 'a\nb\nc\n');
});

test('lines that cannot be written are reported once and counted when writing works again', (t) => {
  const folder = join(tempFolder(t), 'log');
  writeFileSync(folder, 'a file where the folder should be');
  let now = 0;
  const failures: Error[] = [];
  const file = new LogFile(folder, { onFailure: (error) => failures.push(error), now: () => now });
  for (const at of [0, 500, 2000, 2500, 4000]) {
    now = at;
    file.write('lost\n');
  }
  rmSync(folder);
  now = 6000;
  file.write('kept\n');
  const [notice = '', line] = readFileSync(join(folder, 'current.log'), 'utf8').split('\n');
  assert.deepEqual(
    [failures.length, JSON.parse(notice).msg, line],
    [1, '5 log lines could not be written', 'kept'],
  );
});
