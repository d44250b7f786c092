import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { type Cipher, SettingsStore } from '../../../main/settings-store.ts';
import { AppSettings } from '../../../server/contract.ts';

/** Turns a text round: enough to see that it does not lie there as it is. */
const turned = (text: string) => [...text].reverse().join('');
const cipher: Cipher = {
  encrypt: async (text) => turned(text),
  decrypt: async (secret) => turned(secret),
};
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sightglass-settings-'));
});
afterEach(() => rm(folder, { recursive: true }));
const file = () => join(folder, 'settings.json');

test('without a file the settings are the defaults', async () => {
  const store = await SettingsStore.open(folder, cipher);
  assert.deepEqual([store.settings, store.recentModels], [AppSettings.parse({}), []]);
});

test('what was saved is there the next time, the key encrypted and the file the person’s own', async () => {
  const settings = AppSettings.parse({ modelPath: '/models/one', apiKey: 'sk-secret', port: 9000 });
  await (await SettingsStore.open(folder, cipher)).save(settings);
  const text = await readFile(file(), 'utf8');
  assert.ok(!text.includes('sk-secret'));
  assert.equal((await stat(file())).mode & 0o777, 0o600);
  const again = await SettingsStore.open(folder, cipher);
  assert.deepEqual([again.settings, again.notices], [settings, []]);
});

test('the last five models are remembered, the latest first, each once', async () => {
  const store = await SettingsStore.open(folder, cipher);
  for (const modelPath of ['/1', '/2', '/3', '/2', '/4', '/5', '/6']) {
    await store.save({ ...store.settings, modelPath });
  }
  assert.deepEqual(store.recentModels, ['/6', '/5', '/4', '/2', '/3']);
});

test('changes made at once are all kept, though the keychain takes its time, and one fails', async () => {
  const asked: PromiseWithResolvers<void>[] = [];
  const slow: Cipher = {
    ...cipher,
    encrypt: async (text) => {
      const answer = Promise.withResolvers<void>();
      asked.push(answer);
      await answer.promise;
      return turned(text);
    },
  };
  const store = await SettingsStore.open(folder, slow);
  const refused = store.save({ ...store.settings, apiKey: 'sk-lost' });
  const kept = [
    store.saveHubToken('hf_token'),
    store.update((settings) => ({ ...settings, modelPath: '/models/one' })),
    store.update((settings) => ({ ...settings, port: 9000 })),
  ];
  const answerNext = async (answer: (asked: PromiseWithResolvers<void>) => void) => {
    while (asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const next = asked.shift();
    if (next !== undefined) answer(next);
  };
  await answerNext(({ reject }) => reject(new Error('locked')));
  await assert.rejects(refused, /locked/);
  for (const _ of kept) await answerNext(({ resolve }) => resolve());
  await Promise.all(kept);
  const again = await SettingsStore.open(folder, cipher);
  assert.deepEqual(again.settings, AppSettings.parse({ modelPath: '/models/one', port: 9000 }));
  assert.equal(again.hubToken, 'hf_token');
});

test('a file that is no JSON is set aside, and said', async () => {
  await writeFile(file(), '{"settings": {');
  const store = await SettingsStore.open(folder, cipher);
  assert.deepEqual(store.settings, AppSettings.parse({}));
  assert.match(store.notices.join(), /set aside as .*settings-unreadable-/);
  const aside = (await readdir(folder)).find((name) => name.startsWith('settings-unreadable-'));
  assert.equal(await readFile(join(folder, aside ?? ''), 'utf8'), '{"settings": {');
});

test('a value that is not valid has its default, and takes no other with it', async () => {
  await writeFile(file(), JSON.stringify({ settings: { port: 'x', queueSize: 7, old: 1 } }));
  const store = await SettingsStore.open(folder, cipher);
  assert.deepEqual(store.settings, AppSettings.parse({ queueSize: 7 }));
  assert.deepEqual(store.notices, ['The setting port was not valid and has its default now.']);
});

test('a key that cannot be decrypted is left out, and said', async () => {
  await writeFile(file(), JSON.stringify({ apiKeySecret: 'x' }));
  const refuses = { ...cipher, decrypt: () => Promise.reject(new Error('no keychain')) };
  const store = await SettingsStore.open(folder, refuses);
  assert.equal(store.settings.apiKey, undefined);
  assert.match(store.notices.join(), /API key could not be read/);
});

test('the Hugging Face token is kept encrypted beside the settings, until it is taken out', async () => {
  const store = await SettingsStore.open(folder, cipher);
  await store.saveHubToken('hf_secret');
  await store.save(AppSettings.parse({ port: 9000 }));
  assert.ok(!(await readFile(file(), 'utf8')).includes('hf_secret'));
  const again = await SettingsStore.open(folder, cipher);
  assert.deepEqual([again.hubToken, again.settings.port], ['hf_secret', 9000]);
  await again.saveHubToken(undefined);
  assert.ok(!(await readFile(file(), 'utf8')).includes('hubTokenSecret'));
});
