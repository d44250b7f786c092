import assert from 'node:assert/strict';
import { test } from 'node:test';
import pino from 'pino';
import { z } from 'zod';
import { MAX_LINE_CHARACTERS } from '../../../server/limits.ts';
import { PythonProcess } from '../../../server/runtime/process.ts';

/** Any program will do in place of Python. */
const run = async (script: string) => {
  const lines: { n: string }[] = [];
  const { ended } = new PythonProcess({
    command: { python: process.execPath, args: ['-e', script] },
    schema: z.object({ n: z.string() }),
    log: pino({ level: 'silent' }),
    onLine: (line) => lines.push(line),
  });
  assert.equal((await ended).exitCode, 0);
  return lines;
};

test('lines are read however they are chunked, even a last line without a line feed', async () => {
  const script = `
    const write = (bytes) => new Promise((done) => process.stdout.write(bytes, done));
    const text = Buffer.from('{"n":"é"}\\n{"n":"b"}\\r\\n\\nno JSON\\n{"n":"c"}');
    (async () => { for (const byte of text) await write(Buffer.of(byte)); })();`;
  assert.deepEqual(await run(script), [{ n: 'é' }, { n: 'b' }, { n: 'c' }]);
});

test('a very long line is truncated, and the lines after it are read', async () => {
  const before = process.memoryUsage.rss();
  const script = `
    const { writeSync } = require('node:fs');
    const write = (bytes) => {
      try { return writeSync(1, bytes); } catch (error) { if (error.code !== 'EAGAIN') throw error; }
      return 0;
    };
    const writeAll = (bytes) => { for (let at = 0; at < bytes.length; ) at += write(bytes.subarray(at)); };
    const piece = Buffer.alloc(1e6, 'a');
    for (let count = 0; count < 400; count += 1) writeAll(piece);
    writeAll(Buffer.from('\\n{"n":"next"}\\n'));`;
  assert.deepEqual(await run(script), [{ n: 'next' }]);
  const grown = process.memoryUsage.rss() - before;
  assert.ok(grown < 150e6 + MAX_LINE_CHARACTERS, `${Math.round(grown / 1e6)} MB`);
});
