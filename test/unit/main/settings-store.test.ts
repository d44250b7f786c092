import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { type Cipher, SettingsStore } from '../../../main/settings-store.ts';
import { AppSettings } from '../../../server/contract.ts';

/** Reverses a text, which shows whether it is stored encrypted. */
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
const demoModel = '/Applications/Sightglass.app/Contents/Resources/models/demo';
const open = (by = cipher) => SettingsStore.open({ folder, cipher: by, demoModel });
const stored = async () => JSON.parse(await readFile(file(), 'utf8'));

test('a missing file means default settings', async () => {
  const store = await open();
  assert.deepEqual([store.settings, store.recentModels], [AppSettings.parse({}), []]);
});

test('saved settings are loaded again; the key is encrypted and only the user can read the file', async () => {
  const settings = AppSettings.parse({ modelPath: '/models/one', apiKey: 'sk-secret', port: 9000 });
  await (await open()).save(settings);
  const text = await readFile(file(), 'utf8');
  assert.ok(!text.includes('sk-secret'));
  assert.equal((await stat(file())).mode & 0o777, 0o600);
  const again = await open();
  assert.deepEqual([again.settings, again.notices], [settings, []]);
});

test('the last five models are remembered, most recent first, without duplicates', async () => {
  const store = await open();
  for (const modelPath of ['/1', '/2', '/3', '/2', '/4', '/5', '/6']) {
    await store.save({ ...store.settings, modelPath });
  }
  assert.deepEqual(store.recentModels, ['/6', '/5', '/4', '/2', '/3']);
});

test('concurrent changes are all saved, even if the keychain is slow and one fails', async () => {
  const asked: PromiseWithResolvers<void>[] = [];
  const calls = new EventEmitter();
  const slow: Cipher = {
    ...cipher,
    encrypt: async (text) => {
      const answer = Promise.withResolvers<void>();
      asked.push(answer);
      calls.emit('encrypt');
      await answer.promise;
      return turned(text);
    },
  };
  const store = await open(slow);
  const refused = store.save({ ...store.settings, apiKey: 'sk-lost' });
  const kept = [
    store.saveHubToken('hf_token'),
    store.update((settings) => ({ ...settings, modelPath: '/models/one' })),
    store.update((settings) => ({ ...settings, port: 9000 })),
  ];
  const answerNext = async (answer: (asked: PromiseWithResolvers<void>) => void) => {
    while (asked.length === 0) await once(calls, 'encrypt');
    const next = asked.shift();
    if (next !== undefined) answer(next);
  };
  await answerNext(({ reject }) => reject(new Error('locked')));
  await assert.rejects(refused, /locked/);
  await answerNext(({ resolve }) => resolve());
  await Promise.all(kept);
  const again = await open();
  assert.deepEqual(again.settings, AppSettings.parse({ modelPath: '/models/one', port: 9000 }));
  assert.equal(again.hubToken, 'hf_token');
});

test('a file with invalid JSON is moved away, and a notice reports it', async () => {
  await writeFile(file(), '{"settings": {');
  const store = await open();
  assert.deepEqual(store.settings, AppSettings.parse({}));
  assert.match(store.notices.join(), /moved to .*settings-unreadable-/);
  const aside = (await readdir(folder)).find((name) => name.startsWith('settings-unreadable-'));
  assert.equal(await readFile(join(folder, aside ?? ''), 'utf8'), '{"settings": {');
});

test('a byte order mark is ignored', async () => {
  await writeFile(file(), `\ufeff${JSON.stringify({ settings: { queueSize: 7 } })}`);
  const store = await open();
  assert.deepEqual([store.settings.queueSize, store.notices], [7, []]);
  await store.save({ ...store.settings, port: 9000 });
  assert.equal((await open()).settings.queueSize, 7);
});

const isRoot = process.getuid?.() === 0;
const skip = isRoot && 'root may read every file';
test('a file without read permission is moved away, and a notice reports it', {
  skip,
}, async () => {
  await writeFile(file(), '{}');
  await chmod(file(), 0);
  const store = await open();
  assert.match(store.notices.join(), /moved to .*settings-unreadable-/);
  await store.save({ ...store.settings, port: 9000 });
  assert.equal((await open()).settings.port, 9000);
});

test('an invalid setting is reset to its default, and the others are kept', async () => {
  await writeFile(file(), JSON.stringify({ settings: { port: 'x', queueSize: 7, old: 1 } }));
  const store = await open();
  assert.deepEqual(store.settings, AppSettings.parse({ queueSize: 7 }));
  assert.deepEqual(store.notices, [
    'The setting port was invalid and has been reset to its default.',
  ]);
});

/** A keychain that refuses to decrypt until it is unlocked. */
function locked() {
  const state = { isLocked: true };
  const keychain: Cipher = {
    encrypt: cipher.encrypt,
    decrypt: (secret) =>
      state.isLocked ? Promise.reject(new Error('no keychain')) : cipher.decrypt(secret),
  };
  return { state, keychain };
}

test('a key that cannot be decrypted is locked, and saving other settings keeps it', async () => {
  await writeFile(
    file(),
    JSON.stringify({ settings: { host: '0.0.0.0' }, apiKeySecret: 'yek-ks' }),
  );
  const store = await open(locked().keychain);
  assert.deepEqual([store.settings.apiKey, store.lockedSecrets], [undefined, ['apiKey']]);
  assert.match(store.notices.join(), /API key could not be read.*still stored/);
  await store.save({ ...store.settings, port: 9000 });
  await store.saveHubToken('hf_new');
  assert.equal((await stored()).apiKeySecret, 'yek-ks');
  assert.equal((await open()).settings.apiKey, 'sk-key');
});

test('a locked Hugging Face token survives a change to the settings', async () => {
  await writeFile(file(), JSON.stringify({ hubTokenSecret: 'nekot_fh' }));
  const store = await open(locked().keychain);
  await store.save({ ...store.settings, port: 9000 });
  assert.deepEqual(store.lockedSecrets, ['hubToken']);
  assert.equal((await open()).hubToken, 'hf_token');
});

test('a locked key is available once the keychain is unlocked', async () => {
  await writeFile(file(), JSON.stringify({ apiKeySecret: 'yek-ks' }));
  const { state, keychain } = locked();
  const store = await open(keychain);
  await store.unlock();
  assert.equal(store.settings.apiKey, undefined);
  state.isLocked = false;
  await store.unlock();
  assert.deepEqual([store.settings.apiKey, store.lockedSecrets], ['sk-key', []]);
});

test('a locked key can be replaced or removed', async () => {
  const content = JSON.stringify({ apiKeySecret: 'yek-ks' });
  await writeFile(file(), content);
  const replaced = await open(locked().keychain);
  await replaced.save({ ...replaced.settings, apiKey: 'sk-new' });
  assert.deepEqual(replaced.lockedSecrets, []);
  assert.equal((await open()).settings.apiKey, 'sk-new');
  await writeFile(file(), content);
  const removed = await open(locked().keychain);
  await removed.forgetLockedKey();
  assert.deepEqual(removed.lockedSecrets, []);
  assert.ok(!('apiKeySecret' in (await stored())));
});

test('the keychain is used only for stored and changed secrets', async () => {
  const asked: string[] = [];
  const counted: Cipher = {
    encrypt: (text) => {
      asked.push(`encrypt ${text}`);
      return cipher.encrypt(text);
    },
    decrypt: (secret) => {
      asked.push(`decrypt ${secret}`);
      return cipher.decrypt(secret);
    },
  };
  const store = await open(counted);
  await store.save({ ...store.settings, port: 9000 });
  assert.deepEqual(asked, []);
  await store.save({ ...store.settings, apiKey: 'sk-1' });
  await store.save({ ...store.settings, port: 9001 });
  await open(counted);
  assert.deepEqual(asked, ['encrypt sk-1', 'decrypt 1-ks']);
});

test('the demo model is stored by name, so that it is found after the app has moved', async () => {
  const store = await open();
  await store.save({ ...store.settings, modelPath: demoModel });
  const { settings, recentModels } = await stored();
  assert.deepEqual([settings.modelPath, recentModels], ['demo', ['demo']]);
  const moved = '/Users/me/Sightglass.app/Contents/Resources/models/demo';
  const again = await SettingsStore.open({ folder, cipher, demoModel: moved });
  assert.deepEqual([again.settings.modelPath, again.recentModels], [moved, [moved]]);
});

test('a missing demo model’s path is replaced by this app’s; other paths are kept', async () => {
  const mine = join(folder, 'models', 'demo');
  await mkdir(mine, { recursive: true });
  const gone = '/Volumes/Sightglass/Sightglass.app/Contents/Resources/models/demo';
  const recentModels = [gone, mine, '/models/gone', demoModel];
  await writeFile(file(), JSON.stringify({ settings: { modelPath: gone }, recentModels }));
  const store = await open();
  assert.equal(store.settings.modelPath, demoModel);
  assert.deepEqual(store.recentModels, [demoModel, mine, '/models/gone']);
});

test('the Hugging Face token is stored encrypted until it is removed', async () => {
  const store = await open();
  await store.saveHubToken('hf_secret');
  await store.save(AppSettings.parse({ port: 9000 }));
  assert.ok(!(await readFile(file(), 'utf8')).includes('hf_secret'));
  const again = await open();
  assert.deepEqual([again.hubToken, again.settings.port], ['hf_secret', 9000]);
  await again.saveHubToken(undefined);
  assert.ok(!(await readFile(file(), 'utf8')).includes('hubTokenSecret'));
});

test('null settings, or a folder named settings.json, do not prevent the app from starting', async () => {
  await writeFile(file(), '{"settings":null,"recentModels":null}');
  assert.deepEqual((await open()).settings, AppSettings.parse({}));
  await rm(file());
  await mkdir(file());
  const store = await open();
  assert.match(store.notices.join(), /could not be read\. They were moved/);
  await store.save(AppSettings.parse({ port: 9000 }));
  assert.equal((await open()).settings.port, 9000);
});

test('fields stored by a newer version survive a save', async () => {
  const newer = { settings: { port: 9000, newSetting: { a: 1 } }, newPart: ['b'] };
  await writeFile(file(), JSON.stringify(newer));
  const store = await open();
  await store.save({ ...store.settings, port: 9001 });
  const { settings, newPart } = await stored();
  assert.deepEqual([settings.port, settings.newSetting, newPart], [9001, { a: 1 }, ['b']]);
});
