import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { listCachedModels, listCandidates } from '../../../server/models/places.ts';

let home: string;
before(async () => {
  home = await mkdtemp(join(tmpdir(), 'sightglass-home-'));
});
after(() => rm(home, { recursive: true }));

/** Creates a file. Returns its folder. */
async function make(path: string, text = ''): Promise<string> {
  const file = join(home, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
  return dirname(file);
}

test('models are found by name in the folders of other apps and of the user', async () => {
  const hub = '.cache/huggingface/hub';
  await make(`${hub}/models--owner--cached/refs/main`, 'abc');
  await make(`${hub}/models--owner--half/blobs/0`);
  await make(`${hub}/models--gpt2/refs/main`, 'abc');
  await make(`${hub}/datasets--owner--data/refs/main`, 'abc');
  const studio = await make('.lmstudio/models/owner/studio/config.json');
  const gguf = await make('.lmstudio/models/owner/studio-gguf/model.gguf');
  const omlx = await make('.omlx/models/alone/config.json');
  await make('.omlx/models/notes/readme.txt');
  const own = await make('mine/one/model.safetensors');
  await make('mine/loose.gguf');
  const single = await make('single/config.json');
  const places = [
    { name: '~/mine', folder: dirname(own) },
    { name: '~/single', folder: single },
    { name: 'nowhere', folder: join(home, 'nowhere') },
  ];
  assert.deepEqual(await listCandidates(places, {}, home), [
    { path: omlx, name: 'alone', place: 'omlx' },
    { path: own, name: 'one', place: '~/mine' },
    { path: 'owner/cached', name: 'owner/cached', place: 'Hugging Face cache' },
    { path: studio, name: 'owner/studio', place: 'LM Studio' },
    { path: gguf, name: 'owner/studio-gguf', place: 'LM Studio' },
    { path: single, name: 'single', place: '~/single' },
  ]);
});

test('a cached model may have been downloaded by a tag, a branch or a commit', async () => {
  const cache = join(home, 'cache');
  const [one, two] = ['1'.repeat(40), '2'.repeat(40)];
  const add = (name: string, path: string, text = '') =>
    make(`cache/models--owner--${name}/${path}`, text);
  for (const [name, commit, changed] of [
    ['v1', one, 2000],
    ['refs/pr/1', two, 1000],
  ] as const) {
    const folder = await add('tags', `refs/${name}`, commit);
    await utimes(join(folder, basename(name)), changed, changed);
    await add('main', `refs/${name}`, one);
  }
  await add('main', 'refs/main', `${two}\n`);
  await add('commits', `snapshots/${one}/config.json`);
  await add('commits', `snapshots/${two}/config.json`);
  await utimes(join(cache, 'models--owner--commits/snapshots', two), 1000, 1000);
  await add('unfinished', `snapshots/${one}/config.json`);
  await add('unfinished', 'sightglass-download/download.json');
  const folderOf = (name: string, commit: string) =>
    join(cache, `models--owner--${name}`, 'snapshots', commit);
  assert.deepEqual(
    (await listCachedModels(cache)).sort((a, b) => a.id.localeCompare(b.id)),
    [
      { id: 'owner/commits', folder: folderOf('commits', one) },
      { id: 'owner/main', folder: folderOf('main', two) },
      { id: 'owner/tags', folder: folderOf('tags', one) },
    ],
  );
});

test('LM Studio’s models are where its settings say, and where its folder was moved', async () => {
  const other = join(home, 'other-home');
  const moved = await make('other-home/moved/models/owner/moved/config.json');
  const chosen = await make('other-home/elsewhere/owner/chosen/config.json');
  await make('other-home/.lmstudio-home-pointer', `${join(other, 'moved')}\n`);
  const settings = JSON.stringify({ downloadsFolder: join(other, 'elsewhere') });
  await make('other-home/moved/settings.json', settings);
  await make('other-home/Library/Application Support/LM Studio/settings.json', '{');
  assert.deepEqual(await listCandidates([], {}, other), [
    { path: chosen, name: 'owner/chosen', place: 'LM Studio' },
    { path: moved, name: 'owner/moved', place: 'LM Studio' },
  ]);
});

test('omlx’s models are where its settings or its environment say, and where it was moved', async () => {
  const other = join(home, 'omlx-home');
  const base = await make('omlx-home/moved/settings.json', '{');
  await make('omlx-home/Library/Application Support/oMLX/base-path', '~/moved\n');
  const own = await make('omlx-home/moved/models/own/config.json');
  const first = await make('omlx-home/first/one/config.json');
  const second = await make('omlx-home/second/two/config.json');
  const found = async (env = {}) => (await listCandidates([], env, other)).map(({ path }) => path);
  assert.deepEqual(await found(), [own]);
  const save = (model: object) => writeFile(join(base, 'settings.json'), JSON.stringify({ model }));
  await save({ model_dirs: ['~/first', dirname(second)] });
  assert.deepEqual(await found(), [first, second]);
  await save({ model_dirs: [], model_dir: dirname(second) });
  assert.deepEqual(await found(), [second]);
  assert.deepEqual(await found({ OMLX_MODEL_DIR: ` ${dirname(first)},` }), [first]);
  assert.deepEqual(await found({ OMLX_BASE_PATH: join(other, 'nowhere') }), []);
});

test('a folder that is specified twice is listed once', async () => {
  const own = await make('twice/one/config.json');
  const place = { name: 'twice', folder: dirname(own) };
  const found = await listCandidates([place, place], {}, join(home, 'no-models'));
  assert.deepEqual(
    found.map(({ path }) => path),
    [own],
  );
});

test('HF_HUB_CACHE, HF_HOME and XDG_CACHE_HOME set the cache folder', async () => {
  const elsewhere = join(home, 'elsewhere');
  await make('elsewhere/huggingface/hub/models--a--b/refs/main', '1');
  const hub = join(elsewhere, 'huggingface', 'hub');
  for (const env of [
    { XDG_CACHE_HOME: elsewhere },
    { XDG_CACHE_HOME: '~/../elsewhere' },
    { HF_HOME: '$BASE/huggingface', BASE: elsewhere },
    { HF_HOME: join(elsewhere, 'huggingface') },
    { HF_HUB_CACHE: hub },
  ]) {
    const found = await listCandidates([], env, join(home, 'no-models'));
    assert.deepEqual(
      found.map(({ name }) => name),
      ['a/b'],
    );
  }
});
