import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { execa } from 'execa';
import pino from 'pino';
import type { FoundModel } from '../../server/contract.ts';
import { findModels, inspectModel } from '../../server/models/find-models.ts';
import { ModelsProgram } from '../../server/models/program.ts';
import { createModelsCommand } from '../../server/runtime/process.ts';
import { changeConfig, changedModel } from '../support/changed-model.ts';
import { makeZoo, SPECIMENS } from '../support/model-zoo.ts';
import { demoModel, resources } from '../support/service.ts';

const program = new ModelsProgram(createModelsCommand(resources), pino({ level: 'silent' }));
let zoo: string;
let found: Map<string, FoundModel>;
before(async () => {
  zoo = await mkdtemp(join(tmpdir(), 'sightglass-zoo-'));
  await makeZoo(zoo);
  const places = [{ name: 'Zoo', folder: zoo }];
  const models = await findModels({ program, places, maxConcurrency: 3 });
  found = new Map(models.map((model) => [model.name, model]));
});
after(() => rm(zoo, { recursive: true }));

/** Runs `models` with these arguments, its output piped. */
const cli = (args: string[]) =>
  execa(process.execPath, ['server/cli.ts', 'models', ...args], {
    reject: false,
    env: { HF_HOME: zoo, HOME: zoo },
  });

test('a good model is listed with its size, type, quantization and memory', () => {
  const { fit, ...facts } = found.get('good') ?? {};
  assert.deepEqual(facts, {
    path: join(zoo, 'good'),
    name: 'good',
    place: 'Zoo',
    bytes: 3662951,
    type: 'qwen2_vl',
    quantization: 'float16',
    seesPictures: true,
  });
  assert.deepEqual(
    [fit?.verdict, fit?.weightsBytes, fit?.cacheBytes, fit?.requests],
    ['fits', 3596416, 3 * 4194304, 3],
  );
});

for (const [name, { reason, words }] of Object.entries(SPECIMENS)) {
  test(`a broken model (${name}) is listed with its problem and a remedy`, () => {
    const { problem } = found.get(name) ?? {};
    assert.equal(problem?.reason, reason);
    assert.match(problem?.message ?? '', words);
    assert.notEqual(problem?.remedy, '');
  });
}

test('serving a broken model fails with one line on stderr and exit code 1', async () => {
  const { stderr, exitCode } = await execa(
    process.execPath,
    ['server/cli.ts', '--port', '0', '--host', '127.0.0.1', '--model-path', join(zoo, 'gguf')],
    { reject: false, env: { HF_HOME: zoo, HOME: zoo, XDG_STATE_HOME: zoo } },
  );
  assert.equal(exitCode, 1);
  assert.match(stderr, /^error: .*contains a GGUF model/m);
});

test('models list prints good models to stdout, and broken ones with the reason to stderr', async () => {
  const { stdout, stderr, exitCode } = await cli(['list', '--folder', zoo]);
  assert.equal(exitCode, 0);
  assert.deepEqual(
    stdout.split('\n').map((line) => line.split('\t')),
    [
      [demoModel, 'qwen2_vl', 'float16', '3.7 MB', 'yes', 'fits', 'Sightglass'],
      [join(zoo, 'good'), 'qwen2_vl', 'float16', '3.7 MB', 'yes', 'fits', zoo],
    ],
  );
  for (const [name, { words }] of Object.entries(SPECIMENS)) {
    const line = stderr.split('\n').find((each) => each.includes(`: ${join(zoo, name)}: `));
    assert.match(line ?? '', words);
  }
});

test('models show prints a problem with its remedy, and exits with 1', async () => {
  const { stdout, exitCode } = await cli(['show', join(zoo, 'gguf')]);
  assert.equal(exitCode, 1);
  assert.match(stdout, /^Problem +.*contains a GGUF model\.\nRemedy +Choose an MLX version/m);
});

test('a model without a chat template can be served, and says what it lacks', async () => {
  await using bare = await changedModel(async (folder) => {
    await rm(join(folder, 'chat_template.jinja'));
    await writeFile(join(folder, 'tokenizer_config.json'), '{}');
  });
  const { stdout, exitCode } = await cli(['show', bare.folder]);
  assert.equal(exitCode, 0);
  assert.match(stdout, /^Note +This model's folder has no chat template, so mlx_vlm sends/m);
  const list = await cli(['list', '--folder', bare.folder]);
  assert.match(list.stderr, /^note: \S+: This model's folder has no chat template/m);
});

test('a text-only model is listed as such', async () => {
  const blind = join(zoo, 'good');
  await changeConfig(blind, { model_type: 'llama', vision_config: undefined });
  const model = await inspectModel(blind, { program, maxConcurrency: 1 });
  assert.deepEqual([model.type, model.seesPictures, model.problem], ['llama', false, undefined]);
});
