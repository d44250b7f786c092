import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { findModels } from '../../../server/models/find-models.ts';

let home: string;
before(async () => {
  home = await mkdtemp(join(tmpdir(), 'sightglass-home-'));
});
after(() => rm(home, { recursive: true }));

async function makeModel(folder: string, config: object, weights = 'model.safetensors') {
  const path = join(home, folder);
  await mkdir(path, { recursive: true });
  await writeFile(join(path, 'config.json'), JSON.stringify(config));
  await writeFile(join(path, weights), Buffer.alloc(1000));
  return path;
}

test('models that see pictures are found where other apps keep them, by name', async () => {
  const sees = { model_type: 'qwen2_vl', vision_config: {} };
  const hub = '.cache/huggingface/hub';
  const cached = await makeModel(`${hub}/models--owner--cached/snapshots/abc`, sees);
  await makeModel(`${hub}/models--owner--cached/snapshots/old`, sees);
  await mkdir(join(home, hub, 'models--owner--cached/refs'), { recursive: true });
  await writeFile(join(home, hub, 'models--owner--cached/refs/main'), 'abc\n');
  await mkdir(join(home, hub, 'models--owner--half/blobs'), { recursive: true });
  const studio = await makeModel('.lmstudio/models/owner/studio', sees);
  const omlx = await makeModel('.omlx/models/alone', sees);
  await makeModel('.omlx/models/blind', { model_type: 'llama' });
  await makeModel('.lmstudio/models/owner/gguf', sees, 'model.gguf');
  const facts = { bytes: 1000, type: 'qwen2_vl' };
  assert.deepEqual(await findModels({}, home), [
    { path: omlx, name: 'alone', place: 'omlx', ...facts },
    { path: cached, name: 'owner/cached', place: 'Hugging Face cache', ...facts },
    { path: studio, name: 'owner/studio', place: 'LM Studio', ...facts },
  ]);
});

test('HF_HUB_CACHE and HF_HOME are where the person says the cache is', async () => {
  const elsewhere = join(home, 'elsewhere');
  await makeModel('elsewhere/hub/models--a--b/snapshots/1', { vision_config: {} });
  await mkdir(join(elsewhere, 'hub/models--a--b/refs'), { recursive: true });
  await writeFile(join(elsewhere, 'hub/models--a--b/refs/main'), '1');
  for (const env of [{ HF_HOME: elsewhere }, { HF_HUB_CACHE: join(elsewhere, 'hub') }]) {
    const found = await findModels(env, join(home, 'nobody'));
    assert.deepEqual(
      found.map(({ name }) => name),
      ['a/b'],
    );
  }
});

test('where there is nothing, nothing is found', async () => {
  assert.deepEqual(await findModels({}, join(home, 'nobody')), []);
});
