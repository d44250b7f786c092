import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { listAddedCache, listModelPlaces } from '../../../main/model-library.ts';

let home: string;
before(async () => {
  home = await mkdtemp(join(tmpdir(), 'sightglass-home-'));
});
after(() => rm(home, { recursive: true }));

async function make(path: string, text = ''): Promise<void> {
  const file = join(home, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}

test('each searched folder is listed once, and whether it exists', async () => {
  await make('.lmstudio/models/owner/name/config.json');
  const hub = join(home, '.cache/huggingface/hub');
  const places = await listModelPlaces(
    [
      { name: '/mine', folder: '/mine' },
      { name: hub, folder: hub },
    ],
    {},
    home,
  );
  assert.deepEqual(places, [
    { name: hub, folder: hub, exists: false },
    { name: 'LM Studio', folder: join(home, '.lmstudio/models'), exists: true },
    { name: 'LM Studio', folder: join(home, '.cache/lm-studio/models'), exists: false },
    { name: 'omlx', folder: join(home, '.omlx/models'), exists: false },
    { name: '/mine', folder: '/mine', exists: false },
  ]);
});

test('HF_HOME sets the Hugging Face cache', async () => {
  const [cache] = await listModelPlaces([], { HF_HOME: '/disk/hf' }, home);
  assert.equal(cache?.folder, '/disk/hf/hub');
});

test('adding a Hugging Face cache or an HF_HOME folder adds the models in it', async () => {
  await make('disk/hf/hub/models--owner--name/refs/main', 'abc\n');
  await make('disk/hf/hub/models--owner--half/blobs/0');
  const model = {
    folder: join(home, 'disk/hf/hub/models--owner--name/snapshots/abc'),
    id: 'owner/name',
  };
  const list = (folder: string, env = {}) => listAddedCache(join(home, folder), env, home);
  assert.deepEqual(await list('disk/hf'), [model]);
  assert.deepEqual(await list('disk/hf/hub'), [model]);
  assert.deepEqual(await list('disk'), []);
  assert.deepEqual(await list('nowhere'), []);
  assert.deepEqual(await list('disk/hf', { HF_HOME: join(home, 'disk/hf') }), [], 'found anyway');
});
