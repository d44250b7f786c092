import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, truncate } from 'node:fs/promises';
import { tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { execa } from 'execa';
import pino from 'pino';
import { createRuntimeCommand } from '../../server/runtime/process.ts';
import { RuntimeSupervisor } from '../../server/runtime/supervisor.ts';
import { makeZoo, SPECIMENS } from '../support/model-zoo.ts';
import { resources } from '../support/service.ts';
import { runOnTerminal } from '../support/terminal.ts';

let zoo: string;
before(async () => {
  zoo = await mkdtemp(join(tmpdir(), 'sightglass-zoo-'));
  await makeZoo(zoo);
});
after(() => rm(zoo, { recursive: true }));

/** Runs `models` with these arguments, its output piped. */
const cli = (args: string[]) =>
  execa(process.execPath, ['server/cli.ts', 'models', ...args], {
    reject: false,
    env: { HF_HOME: zoo, HOME: zoo },
  });

test('models list names a folder that does not exist', async () => {
  const { stderr, exitCode } = await cli(['list', '--folder', join(zoo, 'nowhere')]);
  assert.equal(exitCode, 2);
  assert.match(stderr, /nowhere.*not an existing folder/);
});

test('an unknown command gets an error with a suggestion', async () => {
  const { stderr, exitCode } = await cli(['bogus/model']);
  assert.equal(exitCode, 2);
  assert.match(stderr, /^error: unknown command 'bogus\/model'.*: sightglass models show bogus\/m/);
});

const noFullDevice = !existsSync('/dev/full') && 'there is no /dev/full here';
test('output that cannot be written is reported', { skip: noFullDevice }, async () => {
  const command = 'exec "$0" server/cli.ts models show "$1" > /dev/full';
  const env = { HF_HOME: zoo, HOME: zoo };
  const { stderr, exitCode } = await execa(
    'sh',
    ['-c', command, process.execPath, join(zoo, 'good')],
    {
      reject: false,
      env,
    },
  );
  assert.equal(exitCode, 1);
  assert.match(stderr, /^error: could not write the output: ENOSPC/);
});

test('on a terminal, models list prints a table with headings', async () => {
  const command = [process.execPath, 'server/cli.ts', 'models', 'list'];
  const stdout = await runOnTerminal(command, { HF_HOME: zoo, HOME: zoo, NO_COLOR: '1' });
  const [heading = '', row = ''] = stdout.split('\n');
  assert.match(heading, /^Model +Architecture +Weights +Size +Pictures +Memory +Place/);
  assert.equal(row.indexOf('qwen2_vl'), heading.indexOf('Architecture'));
});

test('the launcher refuses every broken model with the message of the list', async (t) => {
  const runtime = new RuntimeSupervisor({
    command: createRuntimeCommand(resources),
    modelPath: join(zoo, 'gguf'),
    log: pino({ level: 'silent' }),
  });
  t.after(() => runtime.shutdown());
  runtime.start();
  for (const [name, { words }] of Object.entries(SPECIMENS)) {
    await runtime.load(join(zoo, name));
    await assert.rejects(runtime.ensureReady(t.signal), words);
  }
});

test('models show reports why a model does not fit in memory', async () => {
  const large = join(zoo, 'cut-short');
  await truncate(join(large, 'model.safetensors'), totalmem() * 2); // sparse: takes no room
  const { stdout } = await cli(['show', large]);
  assert.match(stdout, /^Memory +does not fit: [\d.]+ GB of weights and .* for models$/m);
});
